//! The benchmark tree and its parent rule (spec §6).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Error, Value};

/// The deepest a node may lie below the root.
pub const MAX_TREE_DEPTH: usize = 16;

/// Which of a benchmark's two scores enters the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeafScore {
    /// The ceiled score, clipped to \[0, 1\].
    #[default]
    Ceiled,
    /// The raw score as it is: engineering benchmarks, and everything in 2018.
    Raw,
}

/// A benchmark at the end of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// Version that counts; scores of other versions are ignored.
    pub version: String,
    /// Which score counts.
    #[serde(default)]
    pub score: LeafScore,
}

/// What is below a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeContent {
    /// A benchmark; the node's identifier is the benchmark's.
    Leaf(Leaf),
    /// Further nodes, all with the same weight.
    Branch(Vec<Node>),
}

/// A node of the benchmark tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique in the tree.
    pub identifier: String,
    /// Whether it counts in its parent and is shown.
    #[serde(default = "visible")]
    pub visible: bool,
    /// Whether it counts in its parent though it is shown: engineering does not.
    #[serde(default = "visible", skip_serializing_if = "is_true")]
    pub counts: bool,
    /// A benchmark, or further nodes.
    pub content: NodeContent,
}

fn is_true(value: &bool) -> bool {
    *value
}

fn visible() -> bool {
    true
}

impl Node {
    /// A visible benchmark.
    #[must_use]
    pub fn leaf(benchmark: &str, version: &str, score: LeafScore) -> Self {
        let content = NodeContent::Leaf(Leaf { version: version.to_owned(), score });
        Self { identifier: benchmark.to_owned(), visible: true, counts: true, content }
    }

    /// A visible branch.
    #[must_use]
    pub fn branch(identifier: &str, children: Vec<Self>) -> Self {
        Self {
            identifier: identifier.to_owned(),
            visible: true,
            counts: true,
            content: NodeContent::Branch(children),
        }
    }

    /// The children that count.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let children = match &self.content {
            NodeContent::Branch(children) => children.as_slice(),
            NodeContent::Leaf(_) => &[],
        };
        children.iter().filter(|child| child.visible)
    }

    /// Checks that identifiers are unique, branches not empty and the depth within [`MAX_TREE_DEPTH`].
    ///
    /// # Errors
    /// The first of these that does not hold.
    pub fn check(&self) -> Result<(), Error> {
        self.check_below(0, &mut BTreeSet::new())
    }

    fn check_below<'a>(&'a self, depth: usize, seen: &mut BTreeSet<&'a str>) -> Result<(), Error> {
        let identifier = || self.identifier.clone();
        if depth > MAX_TREE_DEPTH {
            return Err(Error::TooDeep { identifier: identifier(), limit: MAX_TREE_DEPTH });
        }
        if !seen.insert(&self.identifier) {
            return Err(Error::RepeatedNode { identifier: identifier() });
        }
        let NodeContent::Branch(children) = &self.content else { return Ok(()) };
        if self.children().next().is_none() {
            return Err(Error::EmptyBranch { identifier: identifier() });
        }
        children.iter().try_for_each(|child| child.check_below(depth + 1, seen))
    }

    /// Visible nodes with their depth, each before its children.
    #[must_use]
    pub fn nodes(&self) -> Vec<(usize, &Self)> {
        let mut nodes = vec![(0, self)];
        for child in self.children() {
            nodes.extend(child.nodes().into_iter().map(|(depth, node)| (depth + 1, node)));
        }
        nodes
    }

    /// The value of each visible node, in the order of [`nodes`](Self::nodes).
    ///
    /// `leaf` gives the value of a benchmark. A parent is the mean over all its visible children, missing and failed ones
    /// counting 0; it is missing if all of them are, and failed if none is a number and one failed.
    pub fn values(&self, leaf: &dyn Fn(&str, &Leaf) -> Value) -> Vec<Value> {
        match &self.content {
            NodeContent::Leaf(content) => vec![leaf(&self.identifier, content)],
            NodeContent::Branch(_) => {
                let below: Vec<(&Self, Vec<Value>)> =
                    self.children().map(|child| (child, child.values(leaf))).collect();
                let counting = below.iter().filter(|(child, _)| child.counts);
                let own: Vec<(&str, &Value)> = counting
                    .filter_map(|(child, values)| Some((child.identifier.as_str(), values.first()?)))
                    .collect();
                let mut values = vec![Value::mean(&own)];
                values.extend(below.into_iter().flat_map(|(_, values)| values));
                values
            }
        }
    }
}

/// A benchmark in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BenchmarkRef {
    /// Identifier of the benchmark.
    pub identifier: String,
    /// Its version.
    pub version: String,
}

/// Root, one branch per region, the region's benchmarks below, all by their ceiled score.
#[must_use]
pub fn region_tree(root: &str, regions: &[(String, Vec<BenchmarkRef>)]) -> Node {
    region_tree_by(LeafScore::Ceiled, root, regions)
}

/// The same, all by one of their scores.
#[must_use]
pub fn region_tree_by(score: LeafScore, root: &str, regions: &[(String, Vec<BenchmarkRef>)]) -> Node {
    let leaf = |b: &BenchmarkRef| Node::leaf(&b.identifier, &b.version, score);
    let branch = |(region, benchmarks): &(String, Vec<BenchmarkRef>)| {
        Node::branch(region, benchmarks.iter().map(leaf).collect())
    };
    Node::branch(root, regions.iter().map(branch).collect())
}

/// The tree of 2018 (Schrimpf et al. 2018): the plain mean of three raw scores.
#[must_use]
pub fn brain_score_2018() -> Node {
    let leaf = |identifier: &str| Node::leaf(identifier, "2018", LeafScore::Raw);
    Node::branch("brain_score", vec![leaf("V4"), leaf("IT"), leaf("behavior")])
}
