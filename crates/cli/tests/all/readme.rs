//! Every command the README shows does what it says.

use std::fs;
use std::process::Command;

use std::path::Path;
use std::process::{Child, Stdio};

use ventral_testkit::free_port;

use crate::support::{alone, data, finish, root, ventral};

/// A command in the background, with an address of its own; ends with the test.
struct Background(Child);

impl Background {
    fn start(store: &Path, arguments: &str, address: &str) -> Self {
        let mut command = ventral(store);
        command.args(arguments.split_whitespace()).args(["--listen", address]).stderr(Stdio::null());
        command.env("VENTRAL_CACHE_DIR", store.with_extension("cache"));
        Self(command.spawn().expect("the program starts"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
    let address = format!("127.0.0.1:{}", free_port().expect("a port"));
    let mut background = Vec::new();
    let mut coordinator = None;
    for line in &all {
        if SCENE.iter().any(|scene| line.starts_with(scene)) {
            continue;
        }
        if line.starts_with("export VENTRAL_COORDINATOR=") {
            coordinator = Some(format!("http://{address}"));
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
        if let Some(arguments) = arguments.strip_suffix('&') {
            background.push(Background::start(&directory.path().join("cluster"), arguments, &address));
            continue;
        }
        let mut command = ventral(&store);
        // What a user would find in the current directory must not litter the repository.
        let writes = ["--output", "--html"].into_iter().find_map(|flag| {
            let (before, place) = arguments.split_once(flag)?;
            Some((before, flag, place.trim()))
        });
        let (before, flag, place) = writes.unwrap_or((arguments, "", ""));
        command.args(before.split_whitespace());
        if !place.is_empty() {
            command.arg(flag).arg(directory.path().join(place));
        }
        match &coordinator {
            Some(url) => drop(command.env("VENTRAL_COORDINATOR", url)),
            None => {
                let Some(data) = data(line) else { continue };
                command.env("VENTRAL_DATA", data);
            }
        }
        let (stdout, stderr, code) = finish(&mut command);
        assert_eq!(code, 0, "{line}\n{stdout}\n{stderr}");
    }
}
