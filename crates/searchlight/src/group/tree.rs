//! The components of a map at all thresholds at once, as a tree.

use super::adjacency::Adjacency;

const NONE: u32 = u32::MAX;

/// A voxel of the tree: the component that contains it at the threshold of its own value is its subtree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub voxel: u32,
    /// Position of the parent in the order, a lower or equal value; `None` for the lowest voxel of its component.
    pub parent: Option<u32>,
    /// Extent of the subtree. Among voxels of equal value only the one nearest the root has the whole component's.
    pub extent: f64,
    pub value: f64,
}

/// The tree of the voxels above 0, from the lowest value to the highest: a parent always comes before its children.
///
/// `extents` is a voxel's own extent, 1 if not given. Ties are ordered by index, so the same map gives the same tree.
pub(super) fn component_tree(values: &[f64], adjacency: &Adjacency, extents: Option<&[f64]>) -> Vec<Node> {
    // Bits of positive numbers are ordered as the numbers are; turned over, the largest comes first.
    let positive = values.iter().zip(0u32..).filter(|(value, _)| **value > 0.0);
    let mut order: Vec<(u64, u32)> = positive.map(|(value, voxel)| (!value.to_bits(), voxel)).collect();
    order.sort_unstable();
    let order: Vec<u32> = order.into_iter().map(|(_, voxel)| voxel).collect();
    let mut sets = Sets { parent: vec![NONE; values.len()] };
    let mut tree_parent = vec![NONE; values.len()];
    let mut extent: Vec<f64> = extents.map_or_else(|| vec![1.0; values.len()], <[f64]>::to_vec);
    // The root of a set is its latest, so lowest, voxel: the root of its part of the tree.
    for &voxel in &order {
        sets.parent[voxel as usize] = voxel;
        for &neighbour in adjacency.of(voxel as usize) {
            if sets.parent[neighbour as usize] == NONE {
                continue;
            }
            let root = sets.root(neighbour);
            sets.parent[neighbour as usize] = voxel;
            if root != voxel {
                sets.parent[root as usize] = voxel;
                tree_parent[root as usize] = voxel;
                extent[voxel as usize] += extent[root as usize];
            }
        }
    }
    nodes(values, &order, &tree_parent, &extent)
}

fn nodes(values: &[f64], order: &[u32], tree_parent: &[u32], extent: &[f64]) -> Vec<Node> {
    let mut position = vec![NONE; values.len()];
    let mut nodes = Vec::with_capacity(order.len());
    for (place, &voxel) in order.iter().rev().enumerate() {
        position[voxel as usize] = place as u32;
        let parent = tree_parent[voxel as usize];
        let parent = (parent != NONE).then(|| position[parent as usize]);
        nodes.push(Node { voxel, parent, extent: extent[voxel as usize], value: values[voxel as usize] });
    }
    nodes
}

/// Union-find with path halving; the caller decides which root survives.
pub(super) struct Sets {
    pub parent: Vec<u32>,
}

impl Sets {
    pub fn root(&mut self, voxel: u32) -> u32 {
        let mut voxel = voxel as usize;
        while self.parent[voxel] as usize != voxel {
            let up = self.parent[self.parent[voxel] as usize];
            self.parent[voxel] = up;
            voxel = up as usize;
        }
        voxel as u32
    }
}
