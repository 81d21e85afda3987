//! Bad input: a clear error, the documented exit code, nothing lost.

use std::fs;
use std::path::Path;

use crate::support::{finish, root, ventral};

/// Writes a spec for the bundled demo with changes, runs it, and returns standard error and the exit code.
fn run_spec(directory: &Path, models: &str, benchmarks: &str, extra: &[&str]) -> (String, i32) {
    let spec = directory.join("evaluation.toml");
    fs::write(&spec, format!("name = 'bad'\nmodels = [{models}]\nbenchmarks = [{benchmarks}]\n"))
        .expect("writable");
    let (_, stderr, code) =
        finish(ventral(&directory.join("store")).arg("run").arg(&spec).arg("--no-report").args(extra));
    assert!(!stderr.contains("panicked"), "{stderr}");
    (stderr, code)
}

fn demo(part: &str) -> String {
    format!("{:?}", root().join("examples/demo").join(part).display().to_string())
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let (help, _, code) = finish(ventral(&store).arg("--help"));
    assert_eq!(code, 0);
    for expected in
        ["0    done", "2    the command line", "3    done, but", "4    this machine", "130  interrupted"]
    {
        assert!(help.contains(expected), "{expected} is not in\n{help}");
    }
    for arguments in
        [&["run", "nowhere.toml"][..], &["frobnicate"], &["leaderboard"], &["leaderboard", "nojob"]]
    {
        assert_eq!(finish(ventral(&store).args(arguments)).2, 2, "{arguments:?}");
    }
    let file = directory.path().join("file");
    fs::write(&file, "in the way").expect("writable");
    let (_, stderr, code) = finish(ventral(&file.join("store")).args(["run", "examples/demo.toml"]));
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("cannot create"), "{stderr}");
}

#[test]
fn a_spec_that_names_nothing_says_where_it_looked() {
    let directory = tempfile::tempdir().expect("a directory");
    let (stderr, code) = run_spec(directory.path(), "'nowhere'", &demo("benchmarks/v4"), &[]);
    assert_eq!(code, 2);
    assert!(stderr.contains("nowhere") && stderr.contains("model.toml"), "{stderr}");
    let (stderr, _) = run_spec(directory.path(), "'no*where'", &demo("benchmarks/v4"), &[]);
    assert!(stderr.contains("matches no model.toml"), "{stderr}");
}

/// A model card beside a copy of its weights, with changes.
fn card(directory: &Path, change: impl Fn(&str) -> String, weights: impl Fn(Vec<u8>) -> Vec<u8>) -> String {
    let source = root().join("examples/demo/models/convnet_random");
    let target = directory.join("model");
    fs::create_dir_all(&target).expect("writable");
    for entry in fs::read_dir(&source).expect("listable").flatten() {
        let bytes = fs::read(entry.path()).expect("readable");
        let name = entry.file_name();
        let bytes = match name.to_string_lossy().as_ref() {
            "model.toml" => change(&String::from_utf8(bytes).expect("UTF-8")).into_bytes(),
            _ => weights(bytes),
        };
        fs::write(target.join(name), bytes).expect("writable");
    }
    format!("{:?}", target.display().to_string())
}

fn without_digest(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("sha256")).collect::<Vec<_>>().join("\n")
}

#[test]
fn damaged_and_unsuitable_models_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let benchmark = demo("benchmarks/v4");
    // A changed weight is still an ONNX file.
    let model = card(directory.path(), str::to_owned, |mut bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    });
    let (stderr, code) = run_spec(directory.path(), &model, &benchmark, &[]);
    assert!(code == 2 && stderr.contains("sha256"), "{code} {stderr}");
    let model = card(directory.path(), without_digest, |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    let (stderr, code) = run_spec(directory.path(), &model, &benchmark, &[]);
    assert!(code == 2 && stderr.contains(".onnx"), "{code} {stderr}");
    let model = card(directory.path(), without_digest, |_| b"not a model".to_vec());
    let (stderr, code) = run_spec(directory.path(), &model, &benchmark, &[]);
    assert!(code == 2 && stderr.contains(".onnx"), "{code} {stderr}");
}

#[test]
fn a_card_that_is_no_file_is_left_out_and_said_to_be() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = card(directory.path(), str::to_owned, |bytes| bytes);
    let models = directory.path().join("models");
    fs::create_dir_all(models.join("lost")).expect("writable");
    fs::rename(own.trim_matches('"'), models.join("good")).expect("movable");
    std::os::unix::fs::symlink("nowhere", models.join("lost/model.toml")).expect("writable");
    let (stderr, code) = run_spec(directory.path(), "'models/*'", &demo("benchmarks/v4"), &[]);
    assert_eq!(code, 3, "{stderr}");
}

#[test]
fn the_folder_of_a_spec_is_no_pattern() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = card(directory.path(), str::to_owned, |bytes| bytes);
    for name in ["a [b]", "c{d", "e*", "f?"] {
        let folder = directory.path().join(name);
        fs::create_dir_all(folder.join("models")).expect("writable");
        std::os::unix::fs::symlink(own.trim_matches('"'), folder.join("models/one")).expect("writable");
        let (stderr, code) = run_spec(&folder, "'models/*'", &demo("benchmarks/v4"), &[]);
        assert_eq!(code, 0, "{name}: {stderr}");
    }
}

#[test]
fn a_name_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().expect("a directory");
    let odd = directory.path().join(std::ffi::OsStr::from_bytes(b"odd\xff"));
    fs::create_dir_all(&odd).expect("writable");
    let store = directory.path().join("store");
    for arguments in [["models", "check"], ["benchmarks", "check"]] {
        let (_, stderr, code) = finish(ventral(&store).args(arguments).arg(&odd));
        assert!(code == 2 && stderr.contains("is not UTF-8"), "{code} {stderr}");
    }
    let (_, stderr, code) = finish(ventral(&store).arg("jobs").current_dir(&odd));
    assert!(code == 2 && stderr.contains("is not UTF-8"), "{code} {stderr}");
}

#[test]
fn two_cards_of_one_identifier_are_both_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = card(directory.path(), str::to_owned, |bytes| bytes);
    let models = format!("{own}, {}", demo("models/convnet_random"));
    let (stderr, code) = run_spec(directory.path(), &models, &demo("benchmarks/v4"), &[]);
    assert_eq!(code, 2, "{stderr}");
    let both = ["is described by", own.trim_matches('"'), "and by"];
    assert!(both.iter().all(|part| stderr.contains(part)), "{stderr}");
}

#[test]
fn a_folder_with_the_signs_of_a_pattern_in_its_name_is_found() {
    let directory = tempfile::tempdir().expect("a directory");
    let own = card(directory.path(), str::to_owned, |bytes| bytes);
    let odd = directory.path().join("mo del [x]");
    fs::rename(own.trim_matches('"'), &odd).expect("a folder");
    let (stderr, code) =
        run_spec(directory.path(), &format!("{:?}", odd.display()), &demo("benchmarks/v4"), &[]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn an_unknown_layer_gets_the_nearest_names() {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("evaluation.toml");
    let text = format!(
        "name = 'bad'\nmodels = [{}]\nbenchmarks = [{}]\n[layers]\nconvnet_random = ['blok3']\n",
        demo("models/convnet_random"),
        demo("benchmarks/v4")
    );
    fs::write(&spec, &text).expect("writable");
    let (_, stderr, code) = finish(ventral(&directory.path().join("store")).arg("run").arg(&spec));
    assert_eq!(code, 2);
    assert!(stderr.contains("blok3") && stderr.contains("block3"), "{stderr}");

    fs::write(&spec, text.replace("convnet_random =", "convnet =")).expect("writable");
    let (_, stderr, code) = finish(ventral(&directory.path().join("store")).arg("plan").arg(&spec));
    assert_eq!(code, 2);
    assert!(stderr.contains("of no model of this job; there are: convnet_random"), "{stderr}");
}

#[test]
fn a_job_that_does_not_fit_is_refused_with_the_number() {
    let directory = tempfile::tempdir().expect("a directory");
    let (stderr, code) = run_spec(
        directory.path(),
        &demo("models/convnet_random"),
        &demo("benchmarks/v4"),
        &["--memory", "20MiB"],
    );
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("MiB") && stderr.contains("--memory"), "{stderr}");
}

#[test]
fn a_card_that_cannot_be_used_fails_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let broken = directory.path().join("broken");
    fs::create_dir(&broken).expect("writable");
    fs::write(broken.join("model.toml"), "identifier = 'broken'\nfile = 'nowhere.onnx'\n").expect("writable");
    fs::write(broken.join("benchmark.toml"), "identifier = 1\n").expect("writable");
    let broken = format!("{:?}", broken.display().to_string());
    let spec = directory.path().join("evaluation.toml");
    let text = format!(
        "name = 'part'\nmodels = [{broken}, {}]\nbenchmarks = [{broken}, {}]\n",
        demo("models/convnet_random"),
        demo("benchmarks/v4")
    );
    fs::write(&spec, text).expect("writable");
    let store = directory.path().join("store");
    let (plan, stderr, code) = finish(ventral(&store).arg("plan").arg(&spec));
    assert_eq!(code, 0, "{stderr}");
    assert!(plan.contains("left out: model") && plan.contains("left out: benchmark"), "{plan}");
    let (table, stderr, code) = finish(ventral(&store).arg("run").arg(&spec));
    assert_eq!(code, 3, "{table}\n{stderr}");
    assert!(table.contains("convnet_random") && table.contains("model.toml"), "{table}");
    assert!(table.contains("benchmark.toml") && table.contains("identifier"), "{table}");
    let (again, _, _) = finish(ventral(&store).arg("leaderboard"));
    assert!(again.contains("left out: model"), "{again}");
    let jobs = store.join("jobs");
    let job = fs::read_dir(&jobs).expect("jobs").flatten().next().expect("a job").path();
    let page = fs::read_to_string(job.join("report.html")).expect("a report");
    assert!(page.contains("This job is partial") && page.contains("Left out: benchmark"));
}

#[test]
fn a_full_disk_is_a_clear_error_and_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().expect("a directory");
    let disk = directory.path().join("disk");
    fs::create_dir(&disk).expect("writable");
    let mount = |program: &str, arguments: &[&str]| {
        finish(std::process::Command::new(program).args(arguments).arg(&disk)).2
    };
    if mount("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) != 0 {
        eprintln!("SKIPPED: a small disk can only be mounted by root");
        return;
    }
    let (_, stderr, code) = finish(ventral(&disk.join("store")).args(["run", "examples/demo.toml"]));
    // Before another command tidies up.
    let left = fs::read_dir(disk.join("store/tmp")).map_or(0, Iterator::count);
    let (whole, problem, verified) = finish(ventral(&disk.join("store")).args(["store", "verify"]));
    assert_eq!(mount("umount", &[]), 0);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("No space left") && stderr.contains("free some space"), "{stderr}");
    assert_eq!((verified, left), (0, 0), "what was written is whole: {whole}\n{problem}");
}

/// The folder of such a spec has an empty name.
#[test]
fn a_glob_beside_a_spec_that_is_named_without_a_folder_matches() {
    let directory = tempfile::tempdir().expect("a directory");
    let demo = root().join("examples/demo");
    let files = ventral_testkit::files_below(&demo.join("models/convnet_trained"));
    fs::create_dir(directory.path().join("some")).expect("writable");
    for (name, bytes) in files {
        fs::write(directory.path().join("some").join(name), bytes).expect("writable");
    }
    let text = format!("name = 'glob'\nmodels = ['s*']\nbenchmarks = [{:?}]\n", demo.join("benchmarks/v4"));
    fs::write(directory.path().join("spec.toml"), text).expect("writable");
    for spec in ["spec.toml", "./spec.toml"] {
        let mut command = ventral(&directory.path().join("store"));
        let (stdout, stderr, code) = finish(command.current_dir(directory.path()).args(["plan", spec]));
        assert_eq!(code, 0, "{spec}: {stderr}");
        assert!(stdout.contains("convnet_trained"), "{spec}: {stdout}");
    }
}
