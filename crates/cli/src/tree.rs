//! The benchmark tree for a terminal: what a brain score is made of.

use ventral_aggregator::{Cell, Column, Leaderboard};

use crate::{results, table};

/// Models side by side; with more, lines would not fit a screen.
const MAX_MODELS: usize = 5;

/// The best models at every node of the tree: score, and for a benchmark its layer. Empty where the leaderboard's own columns say it all.
pub fn tree_text(board: &Leaderboard, layers_shown: bool) -> String {
    let depths: Vec<usize> = board.columns.iter().map(|column| column.depth).collect();
    let branches = depths.windows(3).any(|three| three[0] == 1 && three[1] == 2 && three[2] == 2);
    if board.rows.is_empty() || (layers_shown && !branches) {
        return String::new();
    }
    let rows = &board.rows[..board.rows.len().min(MAX_MODELS)];
    let mut head = vec![""];
    head.extend(rows.iter().map(|row| row.model.as_str()));
    let mut table = table::new(&head);
    for (index, column) in board.columns.iter().enumerate() {
        let mut line = vec![format!("{}{}", rails(&depths, index), name(column))];
        line.extend(rows.iter().map(|row| cell_text(column, &row.cells[index])));
        table.add_row(line);
    }
    let left = board.rows.len() - rows.len();
    let more = if left == 0 { String::new() } else { format!("and {left} more models\n") };
    format!("{table}\n{more}")
}

fn name(column: &Column) -> String {
    match &column.version {
        None if column.depth == 0 => "brain score".to_owned(),
        None => column.identifier.clone(),
        Some(version) => format!("{} v{version}", column.identifier),
    }
}

fn cell_text(column: &Column, cell: &Cell) -> String {
    let score = results::cell_text(cell);
    match (&column.version, &cell.layer) {
        (Some(_), Some(layer)) => format!("{score} {layer}"),
        _ => score,
    }
}

/// The lines that lead to a node: `│  └─ `.
fn rails(depths: &[usize], node: usize) -> String {
    let goes_on = |depth: usize| {
        let after = depths[node + 1..].iter().copied();
        after.take_while(|&next| next >= depth).any(|next| next == depth)
    };
    let depth = depths[node];
    let above = (1..depth).map(|level| if goes_on(level) { "│  " } else { "   " });
    let own = match depth {
        0 => "",
        _ if goes_on(depth) => "├─ ",
        _ => "└─ ",
    };
    above.chain([own]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rails_lead_to_the_last_child() {
        let depths = [0, 1, 2, 2, 1, 2];
        let found: Vec<String> = (0..depths.len()).map(|node| rails(&depths, node)).collect();
        assert_eq!(found, ["", "├─ ", "│  ├─ ", "│  └─ ", "└─ ", "   └─ "]);
    }
}
