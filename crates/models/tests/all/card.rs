use ventral_input::MAX_NAME_BYTES;
use ventral_models::ModelCard;

use crate::support::{TINY_INPUT, card, fixture};

fn load(text: &str) -> Result<ModelCard, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.toml");
    std::fs::write(&path, text).unwrap();
    let result = ModelCard::load(&path, None).map_err(|error| error.to_string());
    if let Err(error) = &result {
        assert!(error.contains("model.toml"), "the file is named: {error}");
    }
    result
}

fn refused(text: &str) -> String {
    load(text).err().unwrap_or_else(|| panic!("accepted: {text}"))
}

#[test]
fn defaults_are_those_of_the_reference() {
    let card = load(&format!("identifier = \"a-1.b_c\"\nfile = \"m.onnx\"\n{TINY_INPUT}")).unwrap();
    assert_eq!(card.visual_degrees(), 8.0);
    assert_eq!(card.layers.include, ["*"]);
    assert!(card.source().ends_with("m.onnx"));
}

#[test]
fn an_unknown_field_is_answered_with_the_nearest() {
    let error = refused(&format!("identifier = \"a\"\nfile = \"m.onnx\"\nlicense = \"MIT\"\n{TINY_INPUT}"));
    assert!(
        error.contains("unknown field `license`") && error.contains("did you mean `licence`?"),
        "{error}"
    );
    let error = refused(&format!(
        "identifier = \"a\"\nfile = \"m.onnx\"\n{}",
        TINY_INPUT.replace("channels", "chanels")
    ));
    assert!(error.contains("did you mean `channels`?"), "{error}");
}

#[test]
fn impossible_values_are_refused_by_field() {
    let head = "identifier = \"a\"\nfile = \"m.onnx\"\n";
    let cases = [
        (format!("identifier = \"a b\"\nfile = \"m\"\n{TINY_INPUT}"), "identifier"),
        (
            format!("identifier = \"{}\"\nfile = \"m\"\n{TINY_INPUT}", "a".repeat(MAX_NAME_BYTES + 1)),
            "identifier",
        ),
        (format!("{head}sha256 = \"12\"\n{TINY_INPUT}"), "sha256"),
        (format!("{head}imagenet_top1 = 68.7\n{TINY_INPUT}"), "imagenet_top1"),
        (format!("{head}data = \"b\"\n{TINY_INPUT}"), "`file` and `data`"),
        (format!("identifier = \"a\"\n{TINY_INPUT}"), "neither `file` nor `data`"),
        (format!("identifier = \"a\"\ndata = \"m\"\n{TINY_INPUT}"), "VENTRAL_DATA"),
        (head.to_owned(), "[input]"),
        (format!("{head}{}", TINY_INPUT.replace("[16, 16]", "[16, 0]")), "input.size"),
        (format!("{head}{}", TINY_INPUT.replace("[16, 16]", "[8193, 16]")), "input.size"),
        (format!("{head}{}", TINY_INPUT.replace("[0.25, 0.25, 0.25]", "[0.25, 0.0, 0.25]")), "input.std"),
        (format!("{head}{}", TINY_INPUT.replace("1/255", "1/256")), "1/256"),
        (format!("{head}{TINY_INPUT}degrees = 0.0\n"), "input.degrees"),
        (format!("{head}{TINY_INPUT}resize = {{ shorter = 15 }}\n"), "shorter"),
        (format!("{head}{TINY_INPUT}[layers]\ninclude = []\n"), "layers.include"),
        (format!("{head}{TINY_INPUT}[activations]\nfile = \"a.npy\"\n"), "keep one"),
        (format!("identifier = \"a\"\n{TINY_INPUT}[activations]\nfile = \"a.npy\"\n"), "[input]"),
    ];
    for (text, part) in cases {
        let error = refused(&text);
        assert!(error.contains(part), "{part}: {error}");
    }
    load(&format!(
        "identifier = \"{}\"\nfile = \"m\"\n{}",
        "a".repeat(MAX_NAME_BYTES),
        TINY_INPUT.replace("[16, 16]", "[8192, 1]")
    ))
    .unwrap();
}

#[test]
fn another_file_than_the_card_says_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let card = card(directory.path(), &fixture("tiny.onnx"), &format!("sha256 = \"{}\"", "0".repeat(64)), "")
        .unwrap();
    let error = card.digest().unwrap_err().to_string();
    assert!(error.contains("tiny.onnx") && error.contains("0000000000"), "{error}");
}

#[test]
fn the_digest_covers_what_changes_activations_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let digest = |model: &str, replace: (&str, &str), more: &str| {
        let path = directory.path().join("model.toml");
        let text = format!("identifier = \"a\"\nfile = {:?}\n{TINY_INPUT}{more}", fixture(model))
            .replace(replace.0, replace.1);
        std::fs::write(&path, text).unwrap();
        ModelCard::load(&path, None).unwrap().digest().unwrap()
    };
    let reference = digest("tiny.onnx", ("", ""), "");
    assert_eq!(
        digest(
            "tiny.onnx",
            ("identifier = \"a\"", "identifier = \"b\"\ncitation = \"c\""),
            "[layers]\ninclude = [\"fc\"]"
        ),
        reference
    );
    let others = [
        digest("unsupported.onnx", ("", ""), ""),
        digest("tiny.onnx", ("rgb", "bgr"), ""),
        digest("tiny.onnx", ("1/255", "1"), ""),
        digest("tiny.onnx", ("[0.5, 0.5, 0.5]", "[0.5, 0.5, 0.50001]"), ""),
        digest("tiny.onnx", ("[0.25, 0.25, 0.25]", "[0.25, 0.25, 0.3]"), ""),
        digest("tiny.onnx", ("[16, 16]", "[16, 17]"), ""),
        digest("tiny.onnx", ("", ""), "degrees = 9.0"),
        digest("tiny.onnx", ("", ""), "resize = { shorter = 16 }"),
        digest("tiny.onnx", ("", ""), "layout = \"nhwc\""),
    ];
    let mut distinct: Vec<&String> = others.iter().chain([&reference]).collect();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), others.len() + 1);
    let card = card(directory.path(), &fixture("tiny.onnx"), "", "").unwrap();
    assert_eq!(ventral_models::Network::load(&card).unwrap().digest(), reference);
}

#[test]
fn given_activations_have_a_digest_of_their_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.toml");
    std::fs::write(&path, "identifier = \"a\"\n[activations]\nfile = \"a.npy\"\n").unwrap();
    std::fs::write(directory.path().join("a.npy"), b"one").unwrap();
    let card = ModelCard::load(&path, None).unwrap();
    let first = card.digest().unwrap();
    std::fs::write(directory.path().join("a.npy"), b"two").unwrap();
    assert_ne!(card.digest().unwrap(), first);
}
