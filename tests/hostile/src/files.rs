//! Things that are no files, and folders without an end.

use std::fs::create_dir;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::base::{self, write};
use crate::cards::{KINDS, around};
use crate::case::words;
use crate::{Case, Expect};

const FAMILY: &str = "files";

/// Makes something that is no file.
type Put = fn(&Path) -> io::Result<()>;

fn fifo(path: &Path) -> io::Result<()> {
    let made = Command::new("mkfifo").arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
}

const PUTS: [(&str, Put); 6] = [
    ("a pipe", fifo),
    ("/dev/zero", |path| symlink("/dev/zero", path)),
    ("/dev/tty", |path| symlink("/dev/tty", path)),
    ("a link to itself", |path| symlink(path, path)),
    ("a folder", |path| create_dir(path)),
    ("a socket", |path| std::os::unix::net::UnixListener::bind(path).map(|_| ())),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (what, put) in PUTS {
        for (file, _, command) in KINDS {
            cases.push(Case::refused(FAMILY, format!("{file} is {what}"), &[], move |folder| {
                put(&folder.join(around(folder, file)?))?;
                Ok(words(command))
            }));
        }
        for (file, command) in [
            ("responses.csv", "benchmarks check benchmark.toml"),
            ("images/a.bmp", "benchmarks check benchmark.toml"),
            ("layer.npy", "models check model.toml"),
            ("layer.npy", "run spec.toml"),
        ] {
            cases.push(Case::refused(FAMILY, format!("`{command}`: {file} is {what}"), &[], move |folder| {
                base::good(folder)?;
                std::fs::remove_file(folder.join(file))?;
                put(&folder.join(file))?;
                Ok(words(command))
            }));
        }
        for (format, file) in [("nc", "x.nc"), ("mat", "x.mat"), ("npy", "x.npy")] {
            cases.push(Case::refused(FAMILY, format!("{file} is {what}"), &[], move |folder| {
                base::good(folder)?;
                let from = "format = \"csv\"\nfile = \"responses.csv\"";
                let to = format!("format = \"{format}\"\nvariable = \"x\"\nfile = \"{file}\"");
                write(folder, "benchmark.toml", base::BENCHMARK.replace(from, &to))?;
                put(&folder.join(file))?;
                Ok(words("benchmarks check benchmark.toml"))
            }));
        }
        cases.push(Case::refused(FAMILY, format!("a network is {what}"), &[], move |folder| {
            base::good(folder)?;
            write(
                folder,
                "model.toml",
                "identifier = \"net\"\nfile = \"net.onnx\"\n[input]\nsize = [8, 8]\n",
            )?;
            put(&folder.join("net.onnx"))?;
            Ok(words("models check model.toml"))
        }));
        cases.push(Case::refused(FAMILY, format!("a volume is {what}"), &[], move |folder| {
            around(folder, "volume.nii")?;
            write(folder, "scan.toml", base::SCAN)?;
            put(&folder.join("volume.nii"))?;
            Ok(words("plan scans.toml"))
        }));
        cases.push(Case::refused(FAMILY, format!("an archive of images is {what}"), &[], move |folder| {
            base::good(folder)?;
            let card = base::BENCHMARK.replace(
                "format = \"directory\"\nfile = \"images\"",
                "format = \"zip\"\nfile = \"images.zip\"",
            );
            write(folder, "benchmark.toml", card)?;
            put(&folder.join("images.zip"))?;
            Ok(words("benchmarks check benchmark.toml"))
        }));
    }
    cases.extend(folders());
    cases
}

/// Ten links to `target` in a folder.
fn links(folder: &Path, target: &Path) -> io::Result<()> {
    (0..10).try_for_each(|link| symlink(target, folder.join(format!("link{link}"))))
}

fn folders() -> Vec<Case> {
    let loops = |folder: &Path| -> io::Result<()> {
        base::good(folder)?;
        write(folder, "spec.toml", base::SPEC.replace("model.toml", "m/**/model.toml"))?;
        write(folder, "m/one/model.toml", base::MODEL)?;
        write(folder, "m/one/layer.npy", std::fs::read(folder.join("layer.npy"))?)?;
        create_dir(folder.join("m/two"))?;
        links(&folder.join("m"), Path::new("."))?;
        links(&folder.join("m/one"), Path::new("../two"))?;
        links(&folder.join("m/two"), Path::new("../one"))
    };
    let mut cases: Vec<Case> = ["plan spec.toml", "models m", "benchmarks ."]
        .into_iter()
        .map(|command| {
            Case::new(
                FAMILY,
                format!("`{command}` over links to the folders they are in"),
                Expect::Runs(Vec::new()),
                move |folder| {
                    loops(folder)?;
                    Ok(words(command))
                },
            )
        })
        .collect();
    cases.push(Case::new(
        FAMILY,
        "images in folders that contain themselves",
        Expect::Runs(Vec::new()),
        |folder| {
            base::good(folder)?;
            write(
                folder,
                "benchmark.toml",
                base::BENCHMARK.replace("file = \"images\"", "file = \"images\"\npattern = \"*.bmp\""),
            )?;
            links(&folder.join("images"), Path::new("."))?;
            Ok(words("benchmarks check benchmark.toml"))
        },
    ));
    for command in ["plan spec.toml", "models m", "--json models m"] {
        let case = Case::new(FAMILY, format!("`{command}` of 20,000 cards"), Expect::Either, move |folder| {
            base::good(folder)?;
            write(folder, "spec.toml", base::SPEC.replace("model.toml", "m/*"))?;
            for card in 0..20_000 {
                let text = base::MODEL
                    .replace("given", &format!("given{card}"))
                    .replace("layer.npy", "../../layer.npy");
                write(folder, &format!("m/{card}/model.toml"), text)?;
            }
            Ok(words(command))
        });
        cases.push(case.heavy());
    }
    cases
}
