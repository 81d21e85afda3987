//! Numbers for people.

/// Three significant digits, without a leading zero in front of the point.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let magnitude = value.abs();
    let text = match magnitude {
        m if m >= 100.0 => format!("{m:.0}"),
        m if m >= 10.0 => format!("{m:.1}"),
        m if m >= 1.0 => format!("{m:.2}"),
        0.0 => "0".to_owned(),
        m if m < 0.0005 => "<.001".to_owned(),
        m => format!("{m:.3}"),
    };
    let text = text.strip_prefix('0').filter(|rest| rest.starts_with('.')).unwrap_or(&text);
    if value < 0.0 && magnitude >= 0.0005 { format!("−{text}") } else { text.to_owned() }
}

/// Two decimals without a leading zero.
pub(crate) fn two(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.2}", value.abs());
    let text = text.strip_prefix('0').unwrap_or(&text).to_owned();
    if value <= -0.005 { format!("−{text}") } else { text }
}

/// "91,012".
pub(crate) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
