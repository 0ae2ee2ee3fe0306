//! What the tasks print: lines, warnings and tables of figures.

use std::io::Write;

/// One line on standard output. A reader that went away (`| head`) is no reason to stop working.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// One line on standard error.
pub fn complain(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}

/// A table with its columns aligned: figures to the right, words to the left.
pub fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let figures: [bool; N] = std::array::from_fn(|column| rows.iter().all(|row| row[column].parse::<f64>().is_ok()));
    let line = |cells: [&str; N]| {
        let padded: [String; N] = std::array::from_fn(|column| {
            let (cell, width) = (cells[column], widths[column]);
            if figures[column] {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        padded.join("  ").trim_end().to_owned()
    };
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * N.saturating_sub(1));
    let body = rows
        .iter()
        .map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    [line(head), rule]
        .into_iter()
        .chain(body)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["tidy".to_owned(), "0.2".to_owned()],
            ["a".to_owned(), "112.0".to_owned()],
        ];
        assert_eq!(
            table(["step", "s"], &rows),
            "step      s\n-----------\ntidy    0.2\na     112.0"
        );
    }
}
