//! Tests of ventral-proto.

use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use ventral_proto::limits::MAX_JOB_ID_CHARS;
use ventral_proto::text;
use ventral_proto::v1::{JobState, PendingReason, UnitState};

/// Numbers of fields of `FileDescriptorProto` and its parts, of which paths consist.
const MESSAGE: i32 = 4;
const ENUM: i32 = 5;
const SERVICE: i32 = 6;
const PART: i32 = 2;
const ONEOF: i32 = 8;

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(ventral_proto::DESCRIPTORS).expect("descriptors");
    set.file.into_iter().filter(|file| !file.package().starts_with("google")).collect()
}

/// Path and name of everything that a reader of the contract sees.
fn things(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut things = Vec::new();
    let at = |parts: &[i32]| parts.to_vec();
    for (index, message) in (0..).zip(&file.message_type) {
        if message.options.as_ref().is_some_and(|options| options.map_entry()) {
            continue;
        }
        things.push((at(&[MESSAGE, index]), message.name().to_owned()));
        for (field_index, field) in (0..).zip(&message.field) {
            things.push((
                at(&[MESSAGE, index, PART, field_index]),
                format!("{}.{}", message.name(), field.name()),
            ));
        }
        let synthetic: BTreeSet<i32> = message
            .field
            .iter()
            .filter(|field| field.proto3_optional())
            .filter_map(|field| field.oneof_index)
            .collect();
        for (oneof_index, oneof) in
            (0..).zip(&message.oneof_decl).filter(|(index, _)| !synthetic.contains(index))
        {
            things.push((
                at(&[MESSAGE, index, ONEOF, oneof_index]),
                format!("{}.{}", message.name(), oneof.name()),
            ));
        }
    }
    for (index, kind) in (0..).zip(&file.enum_type) {
        things.push((at(&[ENUM, index]), kind.name().to_owned()));
        let values = (0..).zip(&kind.value);
        things
            .extend(values.map(|(value, named)| (at(&[ENUM, index, PART, value]), named.name().to_owned())));
    }
    for (index, service) in (0..).zip(&file.service) {
        things.push((at(&[SERVICE, index]), service.name().to_owned()));
        let methods = (0..).zip(&service.method);
        things.extend(methods.map(|(method, named)| {
            (at(&[SERVICE, index, PART, method]), format!("{}.{}", service.name(), named.name()))
        }));
    }
    things
}

#[test]
fn everything_in_the_contract_is_documented() {
    let mut seen = 0;
    for file in files() {
        let source = file.source_code_info.clone().expect("comments");
        let comments: BTreeSet<Vec<i32>> = source
            .location
            .into_iter()
            .filter(|location| !location.leading_comments().trim().is_empty())
            .map(|location| location.path)
            .collect();
        for (path, name) in things(&file) {
            assert!(comments.contains(&path), "{}: {name} has no comment", file.name());
            seen += 1;
        }
    }
    assert!(seen > 250, "{seen}");
}

#[test]
fn enums_begin_with_a_value_that_means_nothing() {
    for kind in files().iter().flat_map(|file| &file.enum_type) {
        assert!(
            kind.value[0].number() == 0 && kind.value[0].name().ends_with("_UNSPECIFIED"),
            "{}",
            kind.name()
        );
    }
}

#[test]
fn names_of_states_are_read_as_they_are_written() {
    for number in 0..=9 {
        let state = JobState::try_from(number).expect("a state");
        assert_eq!(text::parse_job_state(&text::job_state(state)), Some(state));
    }
    for number in 0..=5 {
        let state = UnitState::try_from(number).expect("a state");
        assert_eq!(text::parse_unit_state(&text::unit_state(state)), Some(state));
    }
    assert_eq!(text::job_state(JobState::Assembling), "assembling");
    assert_eq!(text::pending_reason(PendingReason::NoWorkerOfProfile), "no_worker_of_profile");
    assert_eq!(text::parse_unit_state("asleep"), None);
    assert_eq!(MAX_JOB_ID_CHARS, 77);
}
