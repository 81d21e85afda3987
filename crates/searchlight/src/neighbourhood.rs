//! Which voxels belong to a centre.

use serde::{Deserialize, Serialize};

use crate::{Error, Grid};

/// Largest reach of a ball or cube along an axis, in voxels.
pub const MAX_REACH_VOXELS: usize = 64;
/// Most centres of supplied neighbourhoods.
pub const MAX_CENTRES: usize = 1 << 27;
/// Most members of all supplied neighbourhoods together.
pub const MAX_MEMBERS: usize = 1 << 31;

const NONE: u32 = u32::MAX;
/// Squared distances are compared with this much room, so that a radius that is a multiple of the voxel size is not decided
/// by rounding.
const EDGE: f64 = 1e-9;

/// Size of a ball.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Radius {
    /// In voxels, whatever their size.
    Voxels(f64),
    /// In millimetres, along the grid's affine.
    Millimetres(f64),
}

/// Whether a voxel at exactly the radius belongs to the ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edge {
    /// It does (BrainIAK, nilearn, CoSMoMVPA, PyMVPA, AFNI).
    #[default]
    Inclusive,
    /// It does not (rsatoolbox).
    Strict,
}

/// Shape of a neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// All voxels within a distance.
    Ball {
        /// The distance.
        radius: Radius,
        /// What happens at exactly that distance.
        edge: Edge,
    },
    /// All voxels up to `half_width` voxels away along each axis.
    Cube {
        /// 1 makes a cube of 27 voxels.
        half_width: usize,
    },
}

impl Shape {
    /// Offsets (x, y, z) in voxels of the members, in ascending linear order of the grid.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a radius that is not a finite number above 0, [`Error::TooMany`] beyond
    /// [`MAX_REACH_VOXELS`]; the grid's own errors.
    pub fn offsets(&self, grid: &Grid) -> Result<Vec<[i32; 3]>, Error> {
        grid.check()?;
        match *self {
            Self::Cube { half_width } => {
                let reach = reach(half_width as f64)?;
                Ok(within([reach; 3], |_| true))
            }
            Self::Ball { radius: Radius::Voxels(radius), edge } => {
                check_radius(radius)?;
                let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
                Ok(within([reach(radius)?; 3], |offset| inside(&identity, offset, radius, edge)))
            }
            Self::Ball { radius: Radius::Millimetres(radius), edge } => {
                check_radius(radius)?;
                let metric = grid.metric();
                let mut reaches = [0; 3];
                for (axis, slot) in reaches.iter_mut().enumerate() {
                    *slot = reach(radius * inverse_diagonal(&metric, axis).sqrt())?;
                }
                Ok(within(reaches, |offset| inside(&metric, offset, radius, edge)))
            }
        }
    }
}

fn check_radius(radius: f64) -> Result<(), Error> {
    if radius.is_finite() && radius > 0.0 {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "radius",
        found: radius.to_string(),
        advice: "give a number above 0, such as 3 voxels or 8 mm",
    })
}

fn reach(distance: f64) -> Result<i32, Error> {
    let voxels = (distance * (1.0 + EDGE)).floor();
    if voxels > MAX_REACH_VOXELS as f64 {
        let found = voxels as usize;
        return Err(Error::TooMany {
            what: "reach of a neighbourhood in voxels",
            limit: MAX_REACH_VOXELS,
            found,
        });
    }
    Ok(voxels as i32)
}

/// Entry of the inverse's diagonal: (radius² times it) is the squared reach of the ellipsoid along the axis.
fn inverse_diagonal(m: &[[f64; 3]; 3], axis: usize) -> f64 {
    let minor = |axis: usize| {
        let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
        m[a][a] * m[b][b] - m[a][b] * m[b][a]
    };
    let determinant = m[0][0] * minor(0) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    minor(axis) / determinant
}

fn inside(metric: &[[f64; 3]; 3], offset: [i32; 3], radius: f64, edge: Edge) -> bool {
    let d = offset.map(f64::from);
    let square: f64 = (0..3).map(|i| d[i] * (0..3).map(|j| metric[i][j] * d[j]).sum::<f64>()).sum();
    match edge {
        Edge::Inclusive => square <= radius * radius * (1.0 + EDGE),
        Edge::Strict => square < radius * radius * (1.0 - EDGE),
    }
}

fn within([rx, ry, rz]: [i32; 3], keep: impl Fn([i32; 3]) -> bool) -> Vec<[i32; 3]> {
    let all = (-rz..=rz).flat_map(|z| (-ry..=ry).flat_map(move |y| (-rx..=rx).map(move |x| [x, y, z])));
    all.filter(|&offset| keep(offset)).collect()
}

/// The neighbourhood of every centre.
///
/// A ball or cube is kept as one list of offsets and the mask's index volume, padded so that no offset leaves it; supplied
/// neighbourhoods (surface discs, regions) as index lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbourhoods {
    kind: Kind,
    voxels: usize,
    largest: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Volume { index: Vec<u32>, centres: Vec<u32>, offsets: Vec<i64> },
    Lists { starts: Vec<usize>, members: Vec<u32> },
}

impl Neighbourhoods {
    /// Balls or cubes around every voxel of a mask (ascending linear indices), cut at the mask.
    ///
    /// # Errors
    /// Those of [`Shape::offsets`]; [`Error::Invalid`] for voxels outside the grid or out of order, [`Error::TooFew`] for none,
    /// [`Error::TooMany`] where the padded grid is too large.
    pub fn in_volume(grid: &Grid, voxels: &[u32], shape: &Shape) -> Result<Self, Error> {
        let offsets = shape.offsets(grid)?;
        if voxels.is_empty() {
            return Err(Error::TooFew { what: "usable voxels in the mask", needed: 1, found: 0 });
        }
        let ordered = voxels.windows(2).all(|pair| pair[0] < pair[1]);
        if !ordered || voxels.last().is_some_and(|&last| last as usize >= grid.len()) {
            return Err(Error::Invalid {
                what: "voxels of the mask",
                found: format!("{} indices", voxels.len()),
                advice: "they must ascend and lie in the grid",
            });
        }
        let pad: [usize; 3] = std::array::from_fn(|axis| {
            offsets.iter().map(|offset| offset[axis].unsigned_abs() as usize).max().unwrap_or(0)
        });
        let [nx, ny, nz]: [usize; 3] = std::array::from_fn(|axis| grid.shape[axis] + 2 * pad[axis]);
        let padded = nx.saturating_mul(ny).saturating_mul(nz);
        if padded > MAX_MEMBERS {
            return Err(Error::TooMany {
                what: "voxels of the padded grid",
                limit: MAX_MEMBERS,
                found: padded,
            });
        }
        let mut index = vec![NONE; padded];
        let mut centres = Vec::with_capacity(voxels.len());
        for (position, &voxel) in voxels.iter().enumerate() {
            let [x, y, z] = grid.position(voxel as usize);
            let place = x + pad[0] + nx * (y + pad[1] + ny * (z + pad[2]));
            index[place] = position as u32;
            centres.push(place as u32);
        }
        let steps =
            |[x, y, z]: [i32; 3]| i64::from(x) + nx as i64 * (i64::from(y) + ny as i64 * i64::from(z));
        let largest = offsets.len();
        let offsets = offsets.into_iter().map(steps).collect();
        Ok(Self { kind: Kind::Volume { index, centres, offsets }, voxels: voxels.len(), largest })
    }

    /// Supplied neighbourhoods: centre c has `members[starts[c]..starts[c + 1]]`, positions in a list of `voxels` voxels.
    ///
    /// The members are taken in the given order, each once.
    ///
    /// # Errors
    /// [`Error::Invalid`] for starts that do not begin at 0, ascend and end at the number of members, for members that are
    /// not there or named twice by a centre; [`Error::TooFew`], [`Error::TooMany`] for no centre or beyond the limits.
    pub fn supplied(starts: Vec<usize>, members: Vec<u32>, voxels: usize) -> Result<Self, Error> {
        let centres = starts.len().saturating_sub(1);
        if centres == 0 {
            return Err(Error::TooFew { what: "supplied centres", needed: 1, found: 0 });
        }
        if centres > MAX_CENTRES {
            return Err(Error::TooMany { what: "supplied centres", limit: MAX_CENTRES, found: centres });
        }
        if members.len() > MAX_MEMBERS {
            return Err(Error::TooMany {
                what: "supplied members",
                limit: MAX_MEMBERS,
                found: members.len(),
            });
        }
        let ascending = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        if starts[0] != 0 || !ascending || starts[centres] != members.len() {
            return Err(Error::Invalid {
                what: "starts of supplied neighbourhoods",
                found: format!("{} starts for {} members", starts.len(), members.len()),
                advice: "they begin at 0, ascend and end at the number of members",
            });
        }
        let mut seen = vec![usize::MAX; voxels];
        let mut largest = 0;
        for (centre, pair) in starts.windows(2).enumerate() {
            let list = &members[pair[0]..pair[1]];
            largest = largest.max(list.len());
            for &member in list {
                match seen.get_mut(member as usize) {
                    Some(last) if *last != centre => *last = centre,
                    _ => {
                        return Err(Error::Invalid {
                            what: "member of a supplied neighbourhood",
                            found: format!("voxel {member} of centre {centre}"),
                            advice: "members are positions of usable voxels, each once per centre",
                        });
                    }
                }
            }
        }
        Ok(Self { kind: Kind::Lists { starts, members }, voxels, largest })
    }

    /// Number of centres.
    #[must_use]
    pub fn centres(&self) -> usize {
        match &self.kind {
            Kind::Volume { centres, .. } => centres.len(),
            Kind::Lists { starts, .. } => starts.len() - 1,
        }
    }

    /// Number of voxels that the members point into.
    #[must_use]
    pub fn voxels(&self) -> usize {
        self.voxels
    }

    /// Most members a centre can have.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// Puts the members of a centre (below [`Neighbourhoods::centres`]) into `list`: positions in the list of voxels, for a
    /// ball or cube ascending.
    #[inline]
    pub fn members(&self, centre: usize, list: &mut Vec<u32>) {
        match &self.kind {
            Kind::Lists { starts, members } => {
                list.clear();
                list.extend_from_slice(&members[starts[centre]..starts[centre + 1]]);
            }
            Kind::Volume { index, centres, offsets } => {
                let place = i64::from(centres[centre]);
                list.resize(offsets.len(), 0);
                let mut count = 0;
                for &offset in offsets {
                    let member = index[(place + offset) as usize];
                    list[count] = member;
                    count += usize::from(member != NONE);
                }
                list.truncate(count);
            }
        }
    }
}
