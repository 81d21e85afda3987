//! Which errors are the machine's, not the unit's.

use std::error::Error;
use std::io::{self, ErrorKind};

/// Input or output failed below the file system.
const EIO: i32 = 5;
/// No such device or address; no such device.
const NO_DEVICE: [i32; 2] = [6, 19];
/// Too many open files, in the system or in the process.
const TOO_MANY_FILES: [i32; 2] = [23, 24];

/// A store turns this machine away.
pub const STORE_REFUSES: &str = "the store refuses";
/// The process of a slot does not start.
pub const NO_PROCESS: &str = "the process of a slot does not start";
/// All causes: reasons of [`crate::FailureKind::Machine`] begin with one, and metrics are labelled by it.
pub const CAUSES: [&str; 9] = [
    "the disk is full",
    "the file system is read-only",
    "the disk fails",
    "memory is short",
    "a device is missing",
    "too many files are open",
    "access is denied",
    STORE_REFUSES,
    NO_PROCESS,
];

/// The cause if an error, or one below it, is a fault of the machine.
pub fn machine_fault(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        let io = error.downcast_ref::<io::Error>();
        if let Some(cause) = io.and_then(of_io) {
            return Some(cause);
        }
        // The source of an error that wraps another is the source of that one.
        next = match io.and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    let [full, read_only, fails, memory, device, files, denied, ..] = CAUSES;
    match (error.kind(), error.raw_os_error()) {
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => Some(full),
        (ErrorKind::ReadOnlyFilesystem, _) => Some(read_only),
        (ErrorKind::OutOfMemory, _) => Some(memory),
        (ErrorKind::PermissionDenied, _) => Some(denied),
        (_, Some(EIO)) => Some(fails),
        (_, Some(code)) if NO_DEVICE.contains(&code) => Some(device),
        (_, Some(code)) if TOO_MANY_FILES.contains(&code) => Some(files),
        _ => None,
    }
}

/// The cause that the reason of a fault begins with.
pub(super) fn cause_of(reason: &str) -> &'static str {
    CAUSES.into_iter().find(|cause| reason.starts_with(cause)).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_errors_are_found_below_others() {
        let cases = [
            (28, Some("the disk is full")),
            (122, Some("the disk is full")),
            (30, Some("the file system is read-only")),
            (5, Some("the disk fails")),
            (12, Some("memory is short")),
            (19, Some("a device is missing")),
            (6, Some("a device is missing")),
            (24, Some("too many files are open")),
            (13, Some("access is denied")),
            (2, None),
            (20, None),
        ];
        for (code, cause) in cases {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(machine_fault(&error), cause, "{error}");
            let wrapped = io::Error::other(error);
            assert_eq!(machine_fault(&wrapped), cause, "below {wrapped}");
            let reason = format!("{}: x", cause.unwrap_or("the unit says no"));
            assert_eq!(cause_of(&reason), cause.unwrap_or("other"));
        }
    }
}
