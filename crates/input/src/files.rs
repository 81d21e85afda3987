//! Regular files, opened without waiting and read within a limit.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Largest card, spec or manifest.
pub const MAX_CARD_BYTES: u64 = 1 << 20;

/// Opens a regular file for reading; links are followed. A pipe without a writer would wait for ever and a device has no end: both
/// are errors, at once.
///
/// # Errors
/// Those of the system, and that it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => {
            Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory, a file is needed"))
        }
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "is a pipe, a device or a socket; a regular file is needed",
        )),
    }
}

/// The whole file, at most `limit` bytes; the limit is called `name` in messages.
///
/// # Errors
/// Those of [`open`], a larger file, too little memory.
pub fn read(path: &Path, limit: u64, name: &str) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    let too_large = |found: String| {
        io::Error::new(io::ErrorKind::FileTooLarge, format!("{found} bytes, the limit is {limit} ({name})"))
    };
    if length > limit {
        return Err(too_large(length.to_string()));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize).map_err(io::Error::other)?;
    // A file may grow, and some of the system's have no length.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(format!("more than {limit}"))) } else { Ok(bytes) }
}

/// The text of a card, a spec or a manifest.
///
/// # Errors
/// Those of [`read`] with [`MAX_CARD_BYTES`], and bytes that are not UTF-8.
pub fn read_card(path: &Path) -> io::Result<String> {
    let bytes = read(path, MAX_CARD_BYTES, "MAX_CARD_BYTES")?;
    String::from_utf8(bytes).map_err(|error| {
        let problem = format!("not UTF-8 text ({}); save it as UTF-8", error.utf8_error());
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn pipes_devices_and_folders_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), Path::new("/dev/null")] {
            let error = open(path).unwrap_err();
            assert!(error.to_string().contains("regular file is needed"), "{}: {error}", path.display());
        }
        assert_eq!(open(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn cards_are_read_up_to_their_limit() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'#'; MAX_CARD_BYTES as usize]).unwrap();
        assert_eq!(read_card(file.path()).unwrap().len() as u64, MAX_CARD_BYTES);
        std::fs::write(file.path(), vec![b'#'; MAX_CARD_BYTES as usize + 1]).unwrap();
        let error = read_card(file.path()).unwrap_err().to_string();
        assert_eq!(error, "1048577 bytes, the limit is 1048576 (MAX_CARD_BYTES)");
        std::fs::write(file.path(), b"\xff").unwrap();
        assert!(read_card(file.path()).unwrap_err().to_string().contains("not UTF-8"));
    }
}
