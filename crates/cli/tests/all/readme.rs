//! Every command the README shows does what it says.

use std::fs;
use std::process::Command;

use crate::support::{alone, data, finish, root, ventral};

/// Commands that a test cannot repeat: this test runs within the first, the others only set the scene.
const SCENE: [&str; 2] = ["make test", "export VENTRAL_DATA="];

fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut in_shell = false;
    for line in page.lines() {
        match line.trim() {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            text if in_shell && !text.is_empty() && !text.starts_with('#') => {
                let command = text.split(" #").next().unwrap_or(text).trim();
                commands.push(command.to_owned());
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_runs() {
    let page = fs::read_to_string(root().join("README.md")).expect("a README");
    let all = commands(&page);
    assert!(all.len() >= 8, "the README shows commands: {all:?}");
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let _alone = alone();
    for line in &all {
        if SCENE.iter().any(|scene| line.starts_with(scene)) {
            continue;
        }
        if let Some(target) = line.strip_prefix("make ") {
            let mut make = Command::new("make");
            // The binary is there: this test was built with it.
            let built = format!("VENTRAL={}", env!("CARGO_BIN_EXE_ventral"));
            make.current_dir(root()).args([target, "CARGO=true", &built]).env("VENTRAL_STORE", &store);
            let (stdout, stderr, code) = finish(make.env_remove("VENTRAL_DATA"));
            assert_eq!(code, 0, "{line}\n{stdout}\n{stderr}");
            continue;
        }
        let arguments =
            line.strip_prefix("target/release/ventral").unwrap_or_else(|| panic!("unknown command {line}"));
        let Some(data) = data(line) else { continue };
        let mut command = ventral(&store);
        command.env("VENTRAL_DATA", data).args(arguments.split_whitespace());
        // What a user would find in the current directory must not litter the repository.
        if let Some(place) = line.split("--output ").nth(1) {
            command = ventral(&store);
            let file = directory.path().join(place);
            let before = arguments.split("--output").next().unwrap_or(arguments);
            command.args(before.split_whitespace()).arg("--output").arg(&file);
        }
        let (stdout, stderr, code) = finish(&mut command);
        assert_eq!(code, 0, "{line}\n{stdout}\n{stderr}");
    }
}
