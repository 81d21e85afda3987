//! Records of synthesised images, as the store reads them.
#![no_main]

use ventral_store::SynthesisRecord;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = SynthesisRecord::decode(bytes) {
        assert!(SynthesisRecord::decode(&record.encode()).is_ok(), "what was read cannot be written");
    }
});
