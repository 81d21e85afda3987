//! The residual methods of a job, made ready for the layers that were compared.

use ndarray::{Array2, ArrayView2};
use ventral_plan::{Method, SearchlightSpec};
use ventral_searchlight::{Comparison, LayerDesign, ResidualMap, WARN_INFLATION};

use crate::Error;

/// Layers as predictors, and the methods that have something to say about them.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    /// Names of the layers.
    pub(crate) layers: Vec<String>,
    /// How alike they are.
    pub(crate) correlations: Array2<f64>,
    /// Variance inflation of each layer; empty where the comparison has none.
    pub(crate) inflation: Vec<f64>,
    /// Condition number of the correlations.
    pub(crate) condition: Option<f64>,
    /// Number of eigenvalues above 1e-8 of the largest.
    pub(crate) rank: Option<usize>,
    /// The methods whose maps are written; the last one decides.
    pub(crate) methods: Vec<Prepared>,
    /// What a reader must know.
    pub(crate) notes: Vec<String>,
}

/// A method, ready to be applied.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) method: Method,
    map: Option<ResidualMap>,
}

impl Prepared {
    /// Layers x centres of raw values to those of the method.
    pub(crate) fn apply(&self, raw: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(match &self.map {
            Some(map) => map.apply(raw.t())?.reversed_axes(),
            None => raw.to_owned(),
        })
    }
}

impl Design {
    /// The methods of a spec for layers with these correlations. What layers that are too alike refuse becomes a note; raw maps
    /// are always possible.
    pub(crate) fn new(
        spec: &SearchlightSpec,
        layers: &[String],
        correlations: &Array2<f64>,
    ) -> Result<Self, Error> {
        let mut design = Self {
            layers: layers.to_vec(),
            correlations: correlations.clone(),
            inflation: Vec::new(),
            condition: None,
            rank: None,
            methods: Vec::new(),
            notes: Vec::new(),
        };
        let square = correlations.dim() == (layers.len(), layers.len());
        if !square || matches!(spec.comparison, Comparison::RhoA | Comparison::TauA) {
            design.methods.push(Prepared { method: Method::Raw, map: None });
            return Ok(design);
        }
        let found = LayerDesign::from_correlations(layers.to_vec(), correlations.clone())?;
        design.inflation = found.variance_inflation().to_vec();
        design.condition = Some(found.condition_number());
        design.rank = Some(found.rank());
        design.warn(&found);
        for &method in &spec.methods {
            match found.prepare(spec.residual(method)) {
                Ok(map) => design.methods.push(Prepared { method, map: Some(map) }),
                Err(error) => design.notes.push(format!("There are no `{}` maps: {error}.", method.name())),
            }
        }
        if design.methods.is_empty() {
            design.methods.push(Prepared { method: Method::Raw, map: None });
            design.notes.push("Raw maps are written instead.".to_owned());
        }
        if design.deciding() != spec.deciding() {
            let note =
                format!("Thresholds and winners are those of the `{}` maps.", design.deciding().name());
            design.notes.push(note);
        }
        Ok(design)
    }

    fn warn(&mut self, found: &LayerDesign) {
        let alike: Vec<String> =
            found.warnings().into_iter().map(|(layer, vif)| format!("`{layer}` {vif:.1}")).collect();
        if !alike.is_empty() {
            self.notes.push(format!(
                "Layers that are mixtures of others (variance inflation above {WARN_INFLATION}): {}. Their residual maps are weak \
                 by construction: semi-partial correlations cannot exceed 1/√VIF.",
                alike.join(", ")
            ));
        }
    }

    /// The method that decides thresholds and winners.
    pub(crate) fn deciding(&self) -> Method {
        self.methods.last().map_or(Method::Raw, |prepared| prepared.method)
    }
}

/// Whether values of a method are correlations, which are averaged as Fisher's z.
pub(crate) fn is_correlation(method: Method) -> bool {
    !matches!(method, Method::Regression | Method::Ridge | Method::NonNegative | Method::UniqueVariance)
}

/// Name of a method for people.
pub(crate) fn words(method: Method) -> &'static str {
    match method {
        Method::Raw => "raw",
        Method::SemiPartial => "semi-partial",
        Method::Partial => "partial",
        Method::Adjacent => "semi-partial, adjacent layers",
        Method::Earlier => "semi-partial, earlier layers",
        Method::Regression => "regression weight",
        Method::Ridge => "ridge weight",
        Method::NonNegative => "non-negative weight",
        Method::UniqueVariance => "unique variance",
        Method::Loewdin => "Löwdin",
    }
}
