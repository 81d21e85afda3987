//! Text that came out of a file, before a person sees it.

use std::borrow::Cow;
use std::fmt::Write;

/// Most characters of a text that [`shortened`] keeps.
const SHORT_CHARS: usize = 80;

/// Characters that steer a terminal or hide what a text says: controls (ESC and the C1 codes begin sequences), the ones that turn the
/// direction of writing (CVE-2021-42574), line and paragraph separators, invisible ones.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escaped<'a>(text: &'a str, keep: &[char], escape: impl Fn(&mut String, char)) -> Cow<'a, str> {
    let bad = |c: char| is_harmful(c) && !keep.contains(&c);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) { escape(&mut safe, c) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// The text with everything that could steer a terminal written as `\u{1b}`; line breaks and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, &['\n', '\t'], |safe, c| {
        let _ = write!(safe, "\\u{{{:x}}}", c as u32);
    })
}

/// A JSON document with what [`printable`] escapes as escapes of JSON: it means the same.
pub fn json(document: &str) -> Cow<'_, str> {
    escaped(document, &['\n', '\t', '\r'], |safe, c| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(safe, "\\u{unit:04x}");
        }
    })
}

/// A cell of a table that spreadsheets open: printable, on one line, and with an apostrophe before what they would take for a formula
/// (`=`, `+`, `-`, `@` at the start of what is no number; OWASP, "CSV Injection").
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let safe = escaped(text, &[], |safe, c| match c {
        '\n' | '\t' | '\r' => safe.push(' '),
        c => {
            let _ = write!(safe, "\\u{{{:x}}}", c as u32);
        }
    });
    let formula =
        safe.trim_start().starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    if formula && safe.parse::<f64>().is_err() { Cow::Owned(format!("'{safe}")) } else { safe }
}

/// The beginning of a text, for messages.
pub fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHORT_CHARS) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(printable("plain\n\ttext, é"), "plain\n\ttext, é");
        let found = printable("\u{1b}[2J \u{9b}31m a\rb \u{8}\u{7f} \u{202e}cba \u{feff}");
        assert_eq!(found, r"\u{1b}[2J \u{9b}31m a\u{d}b \u{8}\u{7f} \u{202e}cba \u{feff}");
    }

    #[test]
    fn json_means_the_same() {
        assert_eq!(
            json("{\n  \"a\": \"\u{9b}\u{202e}\u{e0001}\"\n}"),
            "{\n  \"a\": \"\\u009b\\u202e\\udb40\\udc01\"\n}"
        );
    }

    #[test]
    fn cells_are_no_formulas() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-x", "'-x"),
            ("\t=1", "' =1"),
            ("-.021", "-.021"),
            ("-1e-3", "-1e-3"),
            ("conv1/output", "conv1/output"),
            ("a\r\nb\u{1b}", "a  b\\u{1b}"),
        ] {
            assert_eq!(csv_cell(text), cell, "{text:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(100)), format!("{}… (200 bytes)", "é".repeat(80)));
    }
}
