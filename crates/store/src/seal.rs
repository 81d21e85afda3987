//! What makes damage of a document visible: the SHA-256 of its bytes at its beginning, where its readers do not mind.
//!
//! A JSON object gets a first field `sha256`, other JSON becomes the field `document` of such an object, and an HTML page begins with a
//! comment. Documents of earlier versions have no seal and are read as they are.

use std::path::Path;

use ventral_plan::Digest;

use crate::Error;

const JSON: &str = "{\"sha256\":\"";
const HTML: &str = "<!-- sha256 ";
const HTML_END: &str = " -->\n";
/// What follows the digest where the document is no JSON object.
const WRAPPED: &str = "\",\"document\":";
const DIGEST_CHARS: usize = 64;

/// Bytes that a seal adds at most.
pub(crate) const SEAL_BYTES: u64 = 128;

/// Bytes of `JSON` or `HTML` that may be wrong in something that was a seal.
const WRONG_BYTES: usize = 2;

fn opening(name: &str) -> Option<&'static str> {
    match Path::new(name).extension()?.to_str()? {
        "json" => Some(JSON),
        "html" => Some(HTML),
        _ => None,
    }
}

/// The document `name` as it is stored.
pub(crate) fn seal(name: &str, bytes: &[u8]) -> Vec<u8> {
    let digest = Digest::of_bytes(bytes);
    let fields = bytes.strip_prefix(b"{");
    match (opening(name), fields) {
        (Some(JSON), Some(fields)) => {
            let empty = fields.trim_ascii_start().starts_with(b"}");
            let end = if empty { "\"" } else { "\"," };
            [format!("{JSON}{digest}{end}").as_bytes(), fields].concat()
        }
        (Some(JSON), None) => [format!("{JSON}{digest}{WRAPPED}").as_bytes(), bytes, b"}"].concat(),
        (Some(opening), _) => [format!("{opening}{digest}{HTML_END}").as_bytes(), bytes].concat(),
        (None, _) => bytes.to_vec(),
    }
}

/// The document again, without its seal.
pub(crate) fn unseal(place: &Path, name: &str, stored: Vec<u8>) -> Result<Vec<u8>, Error> {
    let Some(opening) = opening(name) else { return Ok(stored) };
    let damaged = |problem: &str| Error::Damaged { path: place.to_owned(), problem: problem.to_owned() };
    if opening.as_bytes().starts_with(&stored) {
        return Err(damaged(&format!("{} bytes are no document", stored.len())));
    }
    let lacking = opening.len().saturating_sub(stored.len());
    let wrong = lacking + opening.bytes().zip(&stored).filter(|(expected, found)| expected != *found).count();
    if wrong > WRONG_BYTES {
        return Ok(stored);
    }
    let mismatch = || damaged("its bytes do not match their checksum");
    let (digest, rest) = stored
        .strip_prefix(opening.as_bytes())
        .and_then(|rest| rest.split_at_checked(DIGEST_CHARS))
        .ok_or_else(mismatch)?;
    let matches = |bytes: &[u8]| Digest::of_bytes(bytes).as_str().as_bytes() == digest;
    if opening == HTML {
        let page = rest.strip_prefix(HTML_END.as_bytes()).filter(|page| matches(page));
        return page.map(<[u8]>::to_vec).ok_or_else(mismatch);
    }
    let fields = rest.strip_prefix(b"\"").ok_or_else(mismatch)?;
    let object = [b"{", fields.strip_prefix(b",").unwrap_or(fields)].concat();
    if matches(&object) {
        return Ok(object);
    }
    let wrapped = rest.strip_prefix(WRAPPED.as_bytes()).and_then(|rest| rest.strip_suffix(b"}"));
    wrapped.filter(|bytes| matches(bytes)).map(<[u8]>::to_vec).ok_or_else(mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTS: [(&str, &[u8]); 8] = [
        ("job.json", b"{\"plan\": [1, 2], \"usage\": null}"),
        ("job.json", b"{}"),
        ("job.json", b"{ }"),
        ("job.json", b"{\"document\":[]}"),
        ("failures.json", b"[]"),
        ("failures.json", b"running"),
        ("report.html", b"<!doctype html><p>page"),
        ("notes.txt", b"as it is"),
    ];

    #[test]
    fn what_is_sealed_is_the_same_again_and_still_json() {
        for (name, bytes) in DOCUMENTS {
            let sealed = seal(name, bytes);
            assert!(sealed.len() as u64 <= bytes.len() as u64 + SEAL_BYTES);
            assert_eq!(unseal(Path::new(name), name, sealed.clone()).expect("whole"), bytes, "{name}");
            if serde_json::from_slice::<serde_json::Value>(bytes).is_ok() {
                serde_json::from_slice::<serde_json::Value>(&sealed).expect("JSON");
            }
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        for (name, bytes) in DOCUMENTS.into_iter().filter(|(name, _)| *name != "notes.txt") {
            let sealed = seal(name, bytes);
            for bit in 0..8 * sealed.len() {
                let mut damaged = sealed.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(unseal(Path::new(name), name, damaged).is_err(), "{name}, bit {bit}");
            }
            for length in 0..sealed.len() {
                let cut = unseal(Path::new(name), name, sealed[..length].to_vec());
                assert!(cut.is_err(), "{name}, {length} bytes");
            }
        }
    }

    #[test]
    fn documents_without_a_seal_are_read_as_they_are() {
        for (name, bytes) in DOCUMENTS {
            assert_eq!(unseal(Path::new(name), name, bytes.to_vec()).expect("as it is"), bytes);
        }
    }
}
