//! Which voxels touch.

use super::check::{at_most, invalid};
use crate::Error;

/// How voxels of a volume must touch to be neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connectivity {
    /// 6 neighbours: a common face.
    Faces,
    /// 18 neighbours: a common face or edge.
    Edges,
    /// 26 neighbours: a common face, edge or corner.
    #[default]
    Corners,
}

impl Connectivity {
    /// Number of neighbours of a voxel inside a volume.
    #[must_use]
    pub fn neighbours(self) -> usize {
        match self {
            Connectivity::Faces => 6,
            Connectivity::Edges => 18,
            Connectivity::Corners => 26,
        }
    }

    fn offsets(self) -> Vec<[i64; 3]> {
        let axes: i64 = match self {
            Connectivity::Faces => 1,
            Connectivity::Edges => 2,
            Connectivity::Corners => 3,
        };
        let cube = (0..27).map(|i| [i % 3 - 1, i / 3 % 3 - 1, i / 9 - 1]);
        cube.filter(|d: &[i64; 3]| (1..=axes).contains(&d.iter().map(|c| c.abs()).sum())).collect()
    }
}

/// Most voxels of a map.
pub const MAX_VOXELS: usize = 50_000_000;
/// Most pairs of neighbours of a map.
pub const MAX_NEIGHBOURS: usize = 1 << 30;

/// The neighbours of every voxel of a map, symmetric: a volume's, or supplied lists (a surface's, a chain's).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjacency {
    starts: Vec<usize>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    /// Neighbours among the voxels with linear indices `voxels` (x fastest, ascending) in a grid of `shape`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an index outside the grid or if the indices do not ascend;
    /// [`Error::TooMany`] beyond [`MAX_VOXELS`].
    pub fn volume(voxels: &[u32], shape: [usize; 3], connectivity: Connectivity) -> Result<Self, Error> {
        at_most("voxels", MAX_VOXELS, voxels.len())?;
        let cells = shape.iter().try_fold(1usize, |cells, &n| cells.checked_mul(n)).unwrap_or(usize::MAX);
        check_ascending(voxels, cells)?;
        let offsets = connectivity.offsets();
        let size = shape.map(|n| n as i64);
        let mut starts = Vec::with_capacity(voxels.len() + 1);
        let mut neighbours = Vec::with_capacity(voxels.len() * offsets.len());
        starts.push(0);
        for &voxel in voxels {
            let i = i64::from(voxel);
            let place = [i % size[0], i / size[0] % size[1], i / (size[0] * size[1])];
            for offset in &offsets {
                let [x, y, z] = [0, 1, 2].map(|axis| place[axis] + offset[axis]);
                let inside = [x, y, z].iter().zip(size).all(|(&c, n)| (0..n).contains(&c));
                let index = x + size[0] * (y + size[1] * z);
                if inside && let Ok(found) = voxels.binary_search_by_key(&index, |&v| i64::from(v)) {
                    neighbours.push(found as u32);
                }
            }
            starts.push(neighbours.len());
        }
        Ok(Self { starts, neighbours })
    }

    /// Neighbours as lists, one per voxel or vertex. A pair need be named by one side only; a voxel's own index is ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an index beyond the lists; [`Error::TooMany`] beyond [`MAX_VOXELS`] lists or
    /// [`MAX_NEIGHBOURS`] neighbours.
    pub fn from_lists(lists: &[Vec<u32>]) -> Result<Self, Error> {
        at_most("voxels", MAX_VOXELS, lists.len())?;
        at_most("neighbours", MAX_NEIGHBOURS, lists.iter().map(Vec::len).sum())?;
        let mut both: Vec<Vec<u32>> = vec![Vec::new(); lists.len()];
        for (voxel, list) in lists.iter().enumerate() {
            for &other in list.iter().filter(|&&other| other as usize != voxel) {
                let Some(back) = both.get_mut(other as usize) else {
                    return Err(invalid("neighbour", other, "there is no such voxel: indices start at 0"));
                };
                back.push(voxel as u32);
                both[voxel].push(other);
            }
        }
        let mut starts = vec![0];
        let mut neighbours = Vec::new();
        for mut list in both {
            list.sort_unstable();
            list.dedup();
            neighbours.append(&mut list);
            starts.push(neighbours.len());
        }
        Ok(Self { starts, neighbours })
    }

    /// Number of voxels.
    #[must_use]
    pub fn voxels(&self) -> usize {
        self.starts.len() - 1
    }

    /// The neighbours of a voxel.
    ///
    /// # Panics
    /// If there is no such voxel.
    #[must_use]
    pub fn of(&self, voxel: usize) -> &[u32] {
        &self.neighbours[self.starts[voxel]..self.starts[voxel + 1]]
    }
}

/// Linear indices must ascend and lie in the grid.
pub(crate) fn check_ascending(voxels: &[u32], cells: usize) -> Result<(), Error> {
    if let Some(pair) = voxels.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(invalid("voxel index", pair[1], "it must be larger than the index before it"));
    }
    match voxels.last() {
        Some(&last) if last as usize >= cells => {
            Err(invalid("voxel index", last, "it lies outside the grid"))
        }
        _ => Ok(()),
    }
}
