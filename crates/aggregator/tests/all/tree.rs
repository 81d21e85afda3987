//! The parent rule, display, rounding and ranks (spec §6).

use proptest::prelude::*;
use ventral_aggregator::{
    BenchmarkRef, Error, Leaf, LeafScore, MAX_TREE_DEPTH, Node, Ranking, Value, hundredths, ranks,
    region_tree,
};

fn failed(reason: &str) -> Value {
    Value::Failed { reason: reason.into() }
}

/// A root with one benchmark per value.
fn root_of(values: &[Value]) -> Value {
    let leaf = |i: usize| Node::leaf(&i.to_string(), "1", LeafScore::Ceiled);
    let tree = Node::branch("root", (0..values.len()).map(leaf).collect());
    tree.values(&|name, _| values[name.parse::<usize>().unwrap()].clone())[0].clone()
}

#[test]
fn missing_and_failed_count_as_zero_beside_a_number() {
    let number = Value::Number;
    assert_eq!(root_of(&[number(0.6), number(0.2)]), number(0.4));
    assert_eq!(root_of(&[number(0.6), Value::Missing, Value::Missing]), number(0.6 / 3.0));
    assert_eq!(root_of(&[number(0.6), failed("out of memory")]), number(0.3));
    assert_eq!(root_of(&[number(0.0), Value::Missing]), number(0.0), "zero is a number");
}

#[test]
fn without_a_number_missing_and_failed_stay_apart() {
    assert_eq!(root_of(&[Value::Missing, Value::Missing]), Value::Missing);
    assert_eq!(root_of(&[failed("a"), failed("b")]), failed("0: a; 1: b"));
    assert_eq!(root_of(&[Value::Missing, failed("b")]), failed("1: b"));
}

#[test]
fn values_go_up_level_by_level() {
    let of = |name: &str| BenchmarkRef { identifier: name.into(), version: "1".into() };
    let tree = region_tree(
        "average",
        &[("V4".into(), vec![of("a"), of("b")]), ("IT".into(), vec![of("c"), of("d"), of("e")])],
    );
    let value = |name: &str, leaf: &Leaf| match name {
        _ if leaf.version != "1" => Value::Missing,
        "a" => Value::Number(0.5),
        "c" => Value::Number(0.9),
        "d" => failed("no"),
        _ => Value::Missing,
    };
    let names: Vec<(usize, &str)> =
        tree.nodes().iter().map(|(depth, node)| (*depth, node.identifier.as_str())).collect();
    assert_eq!(
        names,
        [(0, "average"), (1, "V4"), (2, "a"), (2, "b"), (1, "IT"), (2, "c"), (2, "d"), (2, "e")]
    );
    let values = tree.values(&value);
    assert_eq!(values[1], Value::Number(0.25));
    assert!((values[4].number().unwrap() - 0.3).abs() < 1e-15);
    assert!((values[0].number().unwrap() - 0.275).abs() < 1e-15);
}

#[test]
fn hidden_children_do_not_count() {
    let mut hidden = Node::leaf("hidden", "1", LeafScore::Ceiled);
    hidden.visible = false;
    let tree = Node::branch("root", vec![Node::leaf("shown", "1", LeafScore::Ceiled), hidden]);
    assert_eq!(tree.values(&|_, _| Value::Number(0.4)), [Value::Number(0.4), Value::Number(0.4)]);
    assert_eq!(tree.nodes().len(), 2);
}

fn chain(depth: usize) -> Node {
    (0..depth).fold(Node::leaf("leaf", "1", LeafScore::Raw), |below, i| {
        Node::branch(&format!("level {i}"), vec![below])
    })
}

#[test]
fn trees_that_mean_nothing_are_refused() {
    let leaf = || Node::leaf("a", "1", LeafScore::Ceiled);
    assert!(
        matches!(Node::branch("r", vec![leaf(), leaf()]).check(), Err(Error::RepeatedNode { identifier }) if identifier == "a")
    );
    assert!(
        matches!(Node::branch("r", vec![]).check(), Err(Error::EmptyBranch { identifier }) if identifier == "r")
    );
    assert!(chain(MAX_TREE_DEPTH).check().is_ok());
    assert!(matches!(chain(MAX_TREE_DEPTH + 1).check(), Err(Error::TooDeep { limit: MAX_TREE_DEPTH, .. })));
}

#[test]
fn display_is_that_of_the_site() {
    let shown = |number: f64| Value::Number(number).to_string();
    assert_eq!(shown(0.5487), ".549");
    assert_eq!(shown(1.0), "1.0");
    assert_eq!(shown(1.26), "1.3");
    assert_eq!(shown(0.0), ".000");
    assert_eq!(shown(-0.25), "-0.250");
    assert_eq!((failed("x").to_string(), Value::Missing.to_string()), ("X".into(), String::new()));
    assert_eq!(format!("{:>6}", Value::Number(0.5)), "  .500");
}

#[test]
fn numbers_are_clipped_and_nan_is_a_failure() {
    assert_eq!(Value::Number(1.2).clipped(), Value::Number(1.0));
    assert_eq!(Value::Number(-0.2).clipped(), Value::Number(0.0));
    assert_eq!(Value::Missing.clipped(), Value::Missing);
    assert!(matches!(Value::of(f64::NAN), Value::Failed { reason } if reason.contains("NaN")));
    assert!(matches!(Value::of(f64::INFINITY), Value::Failed { .. }));
}

#[test]
fn hundredths_round_half_up() {
    assert_eq!([0.285, 0.284_999, 0.545, 0.005, 1.0, 0.0].map(hundredths), [29, 28, 55, 1, 100, 0]);
    assert_eq!([-0.285, 12.345, 1e-9].map(hundredths), [-29, 1235, 0]);
    assert_eq!(hundredths(1e300), i64::MAX);
}

#[test]
fn ranks_are_those_of_a_competition() {
    let values = [0.501, 0.43, 0.499, 0.43].map(Value::Number);
    assert_eq!(ranks(&values, Ranking::TwoDecimals), [Some(1), Some(3), Some(1), Some(3)]);
    assert_eq!(ranks(&values, Ranking::Exact), [Some(1), Some(3), Some(2), Some(3)]);
    let values = [failed("a"), Value::Number(0.1), Value::Missing, Value::Number(0.0), failed("b")];
    assert_eq!(ranks(&values, Ranking::TwoDecimals), [Some(3), Some(1), None, Some(2), Some(3)]);
}

proptest! {
    #[test]
    fn a_parent_lies_between_zero_and_its_best_child(numbers in prop::collection::vec(prop::option::of(0.0_f64..1.0), 1..9)) {
        let values: Vec<Value> = numbers.iter().map(|n| n.map_or(Value::Missing, Value::Number)).collect();
        let best = numbers.iter().flatten().copied().reduce(f64::max);
        match (root_of(&values), best) {
            (Value::Number(parent), Some(best)) => prop_assert!((0.0..=best + 1e-15).contains(&parent)),
            (parent, best) => prop_assert!(parent == Value::Missing && best.is_none()),
        }
    }

    #[test]
    fn ranks_do_not_depend_on_the_order(numbers in prop::collection::vec(0.0_f64..1.0, 1..20)) {
        let forward: Vec<Value> = numbers.iter().copied().map(Value::Number).collect();
        let backward: Vec<Value> = forward.iter().rev().cloned().collect();
        let mut reversed = ranks(&backward, Ranking::TwoDecimals);
        reversed.reverse();
        prop_assert_eq!(ranks(&forward, Ranking::TwoDecimals), reversed);
    }
}
