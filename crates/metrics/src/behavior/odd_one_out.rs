//! Which of three is the odd one out (Hebart et al. 2023).

use ndarray::Array2;

use crate::{Error, LayerGram};

/// How alike two stimuli are to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Inner product of their features.
    Dot,
    /// Cosine of the angle between them.
    Cosine,
}

/// Three stimuli, of which a person chose the first as the odd one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Triplet {
    /// The odd one.
    pub odd: usize,
    /// The two that are alike.
    pub alike: [usize; 2],
}

/// 1 where the two that people find alike are the most similar pair to the model too, else 0: 1 x triplets. Ties count as a mismatch.
///
/// # Errors
/// [`Error::OutOfRange`] for a stimulus that does not exist, [`Error::TooFew`] without triplets, [`Error::Factorisation`] for a stimulus
/// without any feature under [`Similarity::Cosine`].
pub fn odd_one_out(
    gram: &LayerGram,
    triplets: &[Triplet],
    similarity: Similarity,
) -> Result<Array2<f64>, Error> {
    if triplets.is_empty() {
        return Err(Error::TooFew { what: "triplets", needed: 1, found: 0 });
    }
    let (products, len) = (gram.raw_products(), gram.stimuli());
    let used = triplets.iter().flat_map(|t| [t.odd, t.alike[0], t.alike[1]]);
    for index in used {
        if index >= len {
            return Err(Error::OutOfRange { what: "stimulus of a triplet", index, len });
        }
        if similarity == Similarity::Cosine && products[(index, index)] <= 0.0 {
            return Err(Error::Factorisation {
                what: "the cosine with a stimulus all of whose features are zero",
            });
        }
    }
    let like = |i: usize, j: usize| match similarity {
        Similarity::Dot => products[(i, j)],
        Similarity::Cosine => products[(i, j)] / (products[(i, i)] * products[(j, j)]).sqrt(),
    };
    let matched = |t: &Triplet| {
        let [a, b] = t.alike;
        let pair = like(a, b);
        f64::from(u8::from(pair > like(t.odd, a) && pair > like(t.odd, b)))
    };
    Ok(Array2::from_shape_fn((1, triplets.len()), |(_, i)| matched(&triplets[i])))
}
