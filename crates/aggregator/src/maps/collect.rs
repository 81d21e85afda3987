//! From the records of ranges to whole maps. Ranges are joined in their order; a map with a gap is none.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis, concatenate};
use ventral_plan::{Digest, MapSource, MapUnit, Plan};
use ventral_searchlight::RangeNull;
use ventral_store::{MapRecord, Store};

use crate::Error;

/// Maps of one subject, or of all together, as they were computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawMaps {
    /// What the columns are.
    pub(crate) columns: Vec<String>,
    /// Linear index of each centre, ascending.
    pub(crate) places: Vec<u32>,
    /// Columns x centres.
    pub(crate) values: Array2<f64>,
    /// Voxels of each neighbourhood.
    pub(crate) voxels: Vec<u32>,
    /// Centres with too few voxels.
    pub(crate) too_small: u64,
    /// Centres without a value for another reason.
    pub(crate) undefined: u64,
    /// How alike the layers are.
    pub(crate) correlation: Array2<f64>,
    /// Similarities of the conditions in each layer, layers x pairs; empty where there are too many to be drawn.
    pub(crate) rsms: Array2<f64>,
    /// What relabelled images say.
    pub(crate) null: Option<RangeNull>,
}

/// The ranges of one map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// All are there.
    Whole(Box<RawMaps>),
    /// Some are not: those that failed with their reasons, and those not computed.
    Gaps { failed: Vec<(String, String)>, missing: Vec<String> },
}

/// All maps of one kind of a scan.
#[derive(Debug)]
pub(crate) struct Set {
    /// Index into the plan's scans.
    pub(crate) scan: usize,
    /// What they show.
    pub(crate) source: MapSource,
    /// By subject in the order of the plan; `None` for what is over all of them.
    pub(crate) parts: Vec<(Option<usize>, Part)>,
}

/// Reads all maps of a plan, in the order of scans and sources.
pub(crate) fn collect(
    plan: &Plan,
    store: &Store,
    reasons: &BTreeMap<&Digest, &str>,
) -> Result<Vec<Set>, Error> {
    let mut units: BTreeMap<(usize, MapSource, Option<usize>), Vec<&MapUnit>> = BTreeMap::new();
    for unit in &plan.maps {
        units.entry((unit.scan, unit.source, unit.subject)).or_default().push(unit);
    }
    let mut sets: Vec<Set> = Vec::new();
    for ((scan, source, subject), mut ranges) in units {
        ranges.sort_by_key(|unit| unit.centres);
        let part = part(plan, store, reasons, &ranges)?;
        match sets.last_mut() {
            Some(set) if (set.scan, set.source) == (scan, source) => set.parts.push((subject, part)),
            _ => sets.push(Set { scan, source, parts: vec![(subject, part)] }),
        }
    }
    Ok(sets)
}

fn part(
    plan: &Plan,
    store: &Store,
    reasons: &BTreeMap<&Digest, &str>,
    ranges: &[&MapUnit],
) -> Result<Part, Error> {
    let (mut records, mut failed, mut missing) = (Vec::with_capacity(ranges.len()), Vec::new(), Vec::new());
    for unit in ranges {
        match (read(store, unit)?, reasons.get(&unit.digest)) {
            (Some(record), _) => records.push(record),
            (None, Some(reason)) => failed.push((plan.map_title(unit), (*reason).to_owned())),
            (None, None) => missing.push(plan.map_title(unit)),
        }
    }
    if !failed.is_empty() || !missing.is_empty() {
        return Ok(Part::Gaps { failed, missing });
    }
    Ok(Part::Whole(Box::new(join(&records)?)))
}

fn read(store: &Store, unit: &MapUnit) -> Result<Option<MapRecord>, Error> {
    let Some(payload) = store.get(&unit.digest)? else { return Ok(None) };
    let object = store.path(&unit.digest);
    let damaged = |problem: String| Error::Record { object: object.clone(), problem };
    let record = MapRecord::decode(&payload).map_err(|error| damaged(error.to_string()))?;
    let [first, end] = unit.centres;
    let found = (record.first, record.values.nrows());
    if found != (first as u64, end - first) {
        let problem =
            format!("it has {} centres from {} on, the plan says {first} to {end}", found.1, found.0);
        return Err(damaged(problem));
    }
    Ok(Some(record))
}

/// One map of adjoining ranges.
pub(crate) fn join(records: &[MapRecord]) -> Result<RawMaps, Error> {
    let differ = || Error::Ranges { problem: "ranges of one map differ in their columns".to_owned() };
    let first = records.first().ok_or_else(differ)?;
    if records.iter().any(|record| record.columns != first.columns) {
        return Err(differ());
    }
    let views: Vec<_> = records.iter().map(|record| record.values.view()).collect();
    let values = concatenate(Axis(0), &views).map_err(|_| differ())?;
    let places: Vec<u32> = records.iter().flat_map(|record| record.places.iter().copied()).collect();
    if places.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err(Error::Ranges { problem: "centres of one map do not ascend".to_owned() });
    }
    let nulls: Vec<RangeNull> = records
        .iter()
        .filter_map(|record| record.permutation.as_ref())
        .map(|null| RangeNull { reached: null.exceed.clone(), maxima: null.max.clone() })
        .collect();
    let null = if nulls.len() == records.len() { Some(RangeNull::join(&nulls)?) } else { None };
    Ok(RawMaps {
        columns: first.columns.clone(),
        places,
        values: values.t().mapv(f64::from),
        voxels: records.iter().flat_map(|record| record.voxels.iter().copied()).collect(),
        too_small: records.iter().map(|record| record.too_small).sum(),
        undefined: records.iter().map(|record| record.undefined).sum(),
        correlation: first.correlation.clone(),
        rsms: first.rsms.mapv(f64::from),
        null,
    })
}
