//! Page tokens: where a list goes on, sealed so that nobody can make or move one.

use prost::Message;
use ring::hmac;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use ventral_proto::limits::{DEFAULT_PAGE, MAX_PAGE, MAX_TOKEN_BYTES};

use super::hex;
use super::status::{Reason, internal, invalid, refuse};

/// Seals and opens page tokens with a key that lives as long as the process.
pub struct Pages {
    key: hmac::Key,
}

/// A query that is paged: its tokens are good for nothing else.
pub struct Query {
    binding: [u8; 32],
}

impl Query {
    /// The query of `tenant` (`None`: of an operator, for all tenants) to `method`. `fields` is the request without its token.
    pub fn new(tenant: Option<&str>, method: &str, fields: &impl Message) -> Self {
        let mut hash = Sha256::new();
        let tenant = tenant.map_or("*".to_owned(), |tenant| format!("={tenant}"));
        for part in [tenant.as_bytes(), method.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(fields.encode_to_vec());
        Self { binding: hash.finalize().into() }
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed<P> {
    query: String,
    position: P,
}

impl Pages {
    /// A new key.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())?;
        Ok(Self { key })
    }

    /// The token of a place in a query.
    ///
    /// # Errors
    /// `INTERNAL`, for a position that is no plain data.
    pub fn seal<P: Serialize>(&self, query: &Query, position: &P) -> Result<String, Status> {
        let sealed = Sealed { query: hex::encode(&query.binding), position };
        let body = serde_json::to_vec(&sealed).map_err(internal)?;
        let tag = hmac::sign(&self.key, &body);
        Ok(format!("{}.{}", hex::encode(&body), hex::encode(tag.as_ref())))
    }

    /// The place that a token names; `None` for the empty token of a first page.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID` for a token of another query, tenant or process, and for a forged one.
    pub fn open<P: DeserializeOwned>(&self, query: &Query, token: &str) -> Result<Option<P>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let bad = || {
            let message =
                "this page token is not of this query and tenant, or is from before a restart; begin again";
            refuse(Code::InvalidArgument, Reason::PageTokenInvalid, message)
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(bad());
        }
        let (body, tag) = token.split_once('.').ok_or_else(bad)?;
        let body = hex::decode(body).ok_or_else(bad)?;
        let tag = hex::decode(tag).ok_or_else(bad)?;
        hmac::verify(&self.key, &body, &tag).map_err(|_| bad())?;
        let sealed: Sealed<P> = serde_json::from_slice(&body).map_err(|_| bad())?;
        if sealed.query != hex::encode(&query.binding) {
            return Err(bad());
        }
        Ok(Some(sealed.position))
    }
}

/// Entries of a page.
///
/// # Errors
/// `FIELD_INVALID` above [`MAX_PAGE`].
pub fn size(asked: u32) -> Result<usize, Status> {
    match asked as usize {
        0 => Ok(DEFAULT_PAGE),
        size if size <= MAX_PAGE => Ok(size),
        size => Err(invalid("page_size", format!("{size}; at most {MAX_PAGE}"))),
    }
}

/// The page of `entries`, sorted by `key`, after `after`; and the key of its last entry if there are more.
pub fn cut<T, K: Ord>(
    entries: Vec<T>,
    size: usize,
    after: Option<K>,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<K>) {
    let rest = entries.into_iter().filter(|entry| after.as_ref().is_none_or(|after| key(entry) > *after));
    let mut page: Vec<T> = rest.take(size + 1).collect();
    let more = page.len() > size;
    page.truncate(size);
    let next = page.last().filter(|_| more).map(key);
    (page, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ventral_proto::v1::ListUnitsRequest;

    fn query(tenant: Option<&str>, job: &str) -> Query {
        let fields = ListUnitsRequest { job: job.to_owned(), ..Default::default() };
        Query::new(tenant, "ListUnits", &fields)
    }

    #[test]
    fn a_token_opens_only_for_its_tenant_query_and_key() {
        let pages = Pages::new().expect("random numbers");
        let mine = query(Some("a"), "job");
        let token = pages.seal(&mine, &7_u64).expect("a token");
        assert_eq!(pages.open::<u64>(&mine, &token).expect("opens"), Some(7));
        assert_eq!(pages.open::<u64>(&mine, "").expect("first page"), None);
        for other in
            [query(Some("b"), "job"), query(None, "job"), query(Some("*"), "job"), query(Some("a"), "jo")]
        {
            assert!(pages.open::<u64>(&other, &token).is_err());
        }
        assert!(Pages::new().expect("random numbers").open::<u64>(&mine, &token).is_err());
        for index in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[index] = if forged[index] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).expect("ASCII");
            assert!(forged == token || pages.open::<u64>(&mine, &forged).is_err(), "{index}");
        }
        assert!(pages.open::<u64>(&mine, &"a".repeat(MAX_TOKEN_BYTES + 1)).is_err());
    }

    #[test]
    fn pages_cover_a_list_once() {
        let entries: Vec<u32> = (0..25).collect();
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, next) = cut(entries.clone(), 10, after, |entry| *entry);
            assert!(page.len() <= 10);
            seen.extend(page);
            after = next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, entries);
        assert_eq!(size(0).expect("default"), DEFAULT_PAGE);
        assert_eq!(size(MAX_PAGE as u32).expect("the bound"), MAX_PAGE);
        assert!(size(MAX_PAGE as u32 + 1).is_err());
    }
}
