//! Just enough SVG.

use std::fmt::Write;

/// Text made safe for markup and attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// At most `limit` characters: the start and the end, which tell layers of a network apart.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= limit {
        return text.to_owned();
    }
    let kept = limit.saturating_sub(1);
    let tail = kept * 2 / 3;
    let head = kept - tail;
    let start: String = characters.iter().take(head).collect();
    let end: String = characters.iter().skip(characters.len() - tail).collect();
    format!("{start}…{end}")
}

/// Side of its anchor that a text lies on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A drawing of fixed user units that scales with its container.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    class: &'static str,
    label: String,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, class: &'static str, label: &str) -> Self {
        Self { width, height, class, label: escape(label), body: String::new() }
    }

    /// Markup that is already safe.
    pub(crate) fn push(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = write!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    pub(crate) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        self.text_turned(class, at, anchor, 0, text);
    }

    /// Text turned around its anchor by `degrees`, clockwise.
    pub(crate) fn text_turned(
        &mut self,
        class: &str,
        at: (f64, f64),
        anchor: Anchor,
        degrees: i32,
        text: &str,
    ) {
        let ((x, y), anchor, text) = (at, anchor.name(), escape(text));
        let turn = if degrees == 0 {
            String::new()
        } else {
            format!(r#" transform="rotate({degrees} {x:.1} {y:.1})""#)
        };
        let _ = write!(
            self.body,
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}"{turn}>{text}</text>"#
        );
    }

    /// An open line through the points; a gap in the data starts a new one.
    pub(crate) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = write!(self.body, r#"<polyline class="{class}" points="{}"/>"#, path.join(" "));
    }

    /// A marker that shows `title` under the pointer.
    pub(crate) fn marker(&mut self, class: &str, shape: usize, at: (f64, f64), radius: f64, title: &str) {
        let (path, title) = (shape_path(shape, at, radius), escape(title));
        let _ = write!(self.body, r#"<path class="{class}" d="{path}"><title>{title}</title></path>"#);
    }

    pub(crate) fn finish(self) -> String {
        let Self { width, height, class, label, body } = self;
        format!(
            r#"<svg class="{class}" viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{label}">{body}</svg>"#
        )
    }
}

/// Corners of a marker on the unit circle, in turns clockwise from the top; none for a circle.
const SHAPES: [&[f64]; 8] = [
    &[],
    &[0.125, 0.375, 0.625, 0.875],
    &[0.0, 1.0 / 3.0, 2.0 / 3.0],
    &[0.0, 0.25, 0.5, 0.75],
    &[0.5, 0.5 + 1.0 / 3.0, 1.0 / 6.0],
    &[0.0, 0.2, 0.4, 0.6, 0.8],
    &[0.25, 0.25 + 1.0 / 3.0, 0.25 + 2.0 / 3.0],
    &[1.0 / 12.0, 0.25, 5.0 / 12.0, 7.0 / 12.0, 0.75, 11.0 / 12.0],
];

/// The outline of one of eight shapes of about equal area.
pub(crate) fn shape_path(shape: usize, (x, y): (f64, f64), radius: f64) -> String {
    let corners = SHAPES[shape % SHAPES.len()];
    if corners.is_empty() {
        let d = 2.0 * radius;
        return format!(
            "M{:.1} {y:.1}a{radius:.1} {radius:.1} 0 1 0 {d:.1} 0a{radius:.1} {radius:.1} 0 1 0 -{d:.1} 0z",
            x - radius
        );
    }
    let reach = radius * if corners.len() == 3 { 1.4 } else { 1.2 };
    let corner = |turn: &f64| {
        let angle = std::f64::consts::TAU * turn;
        format!("{:.1} {:.1}", x + reach * angle.sin(), y - reach * angle.cos())
    };
    format!("M{}z", corners.iter().map(corner).collect::<Vec<_>>().join("L"))
}

/// Colours of a drawing that stands alone: those of a light page.
const STYLE: &str = "text{fill:#5c626d;font:12px system-ui,sans-serif}.strong{fill:#1b1d21;font-weight:650}.name{fill:#1b1d21}\
.on-light{fill:#15171a}.on-dark{fill:#fff}.grid{stroke:#ebece8}.base{stroke:#6f7682}.ceiling{stroke:#5c626d;stroke-width:1.2;stroke-dasharray:5 4}\
.s0{--c:#0072b2}.s1{--c:#d55e00}.s2{--c:#008a64}.dot{fill:var(--c);fill-opacity:.42}.mk{fill:var(--c)}\
.mean{stroke:var(--c);stroke-width:3;stroke-linecap:round}.ln{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}\
.other .ln{stroke-width:1;stroke-opacity:.3}.chosen .ln{stroke-width:2}.bin{fill:#9ba1aa}\
.pair{stroke-width:1.4;stroke-opacity:.75}.middle{stroke:#1b1d21;stroke-width:3;stroke-linecap:round}";

/// A drawing of a page as a file of its own.
pub(crate) fn standalone(drawing: &str) -> String {
    let drawing = drawing.find("<svg").map_or(drawing, |start| &drawing[start..]);
    let drawing = drawing.find("</svg>").map_or(drawing, |end| &drawing[..end + "</svg>".len()]);
    let drawing = drawing.replacen("<svg", r#"<svg xmlns="http://www.w3.org/2000/svg""#, 1);
    let (head, body) = drawing.split_once('>').unwrap_or((&drawing, ""));
    format!("{head}><style>{STYLE}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>{body}\n")
}
