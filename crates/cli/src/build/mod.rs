//! `staysail build`: the one executable to ship, and the release that `staysail publish` publishes.

pub mod groups;
mod macos_bundle;
mod shell;

use crate::bundler::Bundler;
use crate::commands::ProjectArguments;
use crate::dev::server;
use crate::project::{Mode, Project};
use crate::{cargo, modules, shell_binary, style, types};
use anyhow::{Context, Result, bail};
use clap::Args;
use groups::Groups;
use staysail_protocol::manifest::{MANIFEST_FORMAT, Manifest, UpdateSource};
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN, limits};
use staysail_update::bundle::{self, Contents};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::channel;

/// Flags of `staysail build`.
#[derive(Debug, Default, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub project: ProjectArguments,
}

/// Builds and prints the sizes.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let project = arguments.project.load(Mode::Production)?;
    build(&project)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the project's executable and returns its path.
pub fn build(project: &Project) -> Result<PathBuf> {
    let shell = shell_binary::find(shell_binary::Use::Ship)?;
    let mut contents = assemble(project)?;
    // For `staysail publish --with`, on another system, where the shell can not be asked.
    contents.manifest.shell_version = shell::version(&shell).ok();
    let out = output_path(project)?;
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    bundle::attach(&shell, &out, &contents)?;

    let size = |path: &Path| std::fs::metadata(path).map_or(0, |facts| facts.len());
    let manifest = &contents.manifest;
    let packed = |files: &mut dyn Iterator<Item = u64>| style::bytes(files.sum());
    let shown = out.strip_prefix(&project.root).unwrap_or(&out);
    println!("{} {} {}", style::good("built"), style::strong(&shown.display().to_string()), manifest.version);
    println!("  shell    {:>10}", style::bytes(size(&shell)));
    println!(
        "  backend  {:>10}  (compressed {})",
        packed(&mut manifest.backend.values().flatten().map(|file| file.size)),
        packed(&mut manifest.backend.values().flatten().map(|file| file.blob.size))
    );
    if !manifest.modules.is_empty() {
        println!(
            "  modules  {:>10}  (compressed {}, {} of Wasm)",
            packed(&mut manifest.module_files().map(|file| file.size)),
            packed(&mut manifest.module_files().map(|file| file.blob.size)),
            manifest.modules.len()
        );
    }
    println!(
        "  page     {:>10}  (compressed {}, {} files)",
        packed(&mut manifest.page.iter().map(|file| file.size)),
        packed(&mut manifest.page.iter().map(|file| file.blob.size)),
        manifest.page.len()
    );
    for (name, group) in &manifest.groups {
        println!(
            "  {name:<8} {:>10}  (compressed {}, {} files, {})",
            packed(&mut group.files.iter().map(|file| file.size)),
            packed(&mut group.files.iter().map(|file| file.blob.size)),
            group.files.len(),
            if contents.source.is_some() { "fetched on demand" } else { "in the executable" }
        );
    }
    println!("  whole    {:>10}", style::bytes(size(&out)));
    if cfg!(target_os = "macos") {
        let bundle = macos_bundle::make(&out, manifest)?;
        println!("  bundle   {}", bundle.strip_prefix(&project.root).unwrap_or(&bundle).display());
    }
    match &contents.source {
        Some(source) if !manifest.groups.is_empty() => {
            println!(
                "  updates and asset groups from {}; publish this version before you ship it",
                source.url
            );
        }
        Some(source) => println!("  updates from {}", source.url),
        None if !manifest.groups.is_empty() => println!(
            "  {}",
            style::dim(
                "no updates: there is no [update] in staysail.toml, so the asset groups are in the executable"
            )
        ),
        None => println!("  {}", style::dim("no updates: there is no [update] in staysail.toml")),
    }
    if shell.parent().is_some_and(|folder| folder.ends_with("debug")) {
        let shown = shell.display();
        eprintln!(
            "{} the shell {shown} is not optimised; for a small one: cargo build --release -p staysail-shell",
            style::warn("note:")
        );
    }
    Ok(out)
}

/// Where the executable goes.
pub fn output_path(project: &Project) -> Result<PathBuf> {
    let backend = cargo::locate(project)?;
    Ok(project.root.join("build").join(format!("{}{}", backend.binary, std::env::consts::EXE_SUFFIX)))
}

/// What `staysail publish` publishes: what is attached by `staysail build`, and the shell that is attached to.
pub fn release(project: &Project) -> Result<Contents> {
    let shell = shell::to_carry(project)?;
    Ok(Contents { shell, without_shell: shell::is_unwanted(project), ..assemble(project)? })
}

/// Builds frontend and backend and puts them together as a release: the manifest, with every file compressed.
pub fn assemble(project: &Project) -> Result<Contents> {
    let backend = cargo::locate(project)?;
    let folder = project.frontend_folder();
    if project.config.frontend.build.is_some() {
        server::install_packages(&folder)?;
    }
    // The types first: a frontend in TypeScript may need them to compile.
    let executable = compile(project, &backend)?;
    let description = cargo::describe(&executable)?;
    types::write_if_changed(&project.types(), &description)
        .with_context(|| format!("writing {}", project.types().display()))?;
    if let Some(build) = &project.config.frontend.build {
        eprintln!("{} {}", style::dim("frontend"), build.command);
        let version = project.config.app.version.as_deref().unwrap_or(&backend.version);
        let bundler = Bundler::begin(project, version, None).context("making the bundler's folder")?;
        bundler.interface(&description);
        server::run_to_end(&folder, &build.command, bundler.variables())?;
    }
    let dist = project.dist();
    if !dist.join("index.html").is_file() {
        bail!(
            "{} has no index.html.\n  Put the page there, or correct frontend.dist in {}.",
            dist.display(),
            project.file().display()
        );
    }
    let id = &project.config.app.id;
    if description.app != *id {
        bail!(
            "the backend calls itself {:?}, but {} says {id:?}.\n  Give `App::new` and [app] id the same identifier: the app's data lies under it.",
            description.app,
            project.file().display()
        );
    }
    let takes_modules = description.modules;
    let manifest = Manifest {
        format: MANIFEST_FORMAT,
        app: id.clone(),
        name: project.name().into(),
        version: project.config.app.version.clone().unwrap_or(backend.version),
        interface: description.interface,
        protocol: (PROTOCOL_VERSION_MIN, PROTOCOL_VERSION),
        windows: description.windows,
        desktop: description.desktop,
        commands: description.commands,
        config: project.mode_config(),
        policy: project.policy(),
        shadow: project.shadow(),
        ..Manifest::default()
    };
    let mut contents = Contents::new(manifest);
    let groups = Groups::of(project)?;
    add_page(&mut contents, &groups, &dist, "")?;
    groups.finish(&mut contents, &dist)?;
    let name = executable.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    contents.add_backend(staysail_update::TARGET, &name, &executable)?;
    if !project.config.modules.is_empty() && !takes_modules {
        bail!(
            "{} has [modules], but the backend takes none.\n  Give its dependency on staysail the feature `wasm`:  cargo add staysail --features wasm",
            project.file().display()
        );
    }
    for module in modules::make(project)? {
        contents.add_module(&module.name, module.limits, Path::new(&module.path))?;
    }
    if let Some(update) = &project.config.update {
        let path = project.root.join(&update.root);
        let root = std::fs::read(&path).with_context(|| {
            format!(
                "the trust root {} can not be read, and without it no update could be verified.\n  Make the keys with `staysail keys init`, or take [update] out of {}",
                path.display(),
                project.file().display()
            )
        })?;
        let check_interval_s = update.check_interval_s.unwrap_or(limits::UPDATE_CHECK_INTERVAL_S);
        contents.source = Some(UpdateSource {
            url: update.url.trim_end_matches('/').into(),
            mirrors: update.mirrors.clone(),
            check_interval_s,
            channel: update.channel.clone(),
            pin: update.pin.clone(),
            download_bytes_per_s_max: update.download_bytes_per_s_max,
            download_parallel_max: update.download_parallel_max.unwrap_or_default(),
        });
        contents.root = Some(root);
    }
    Ok(contents)
}

/// Adds the page's files. Declarations are for the developer, and what is hidden or foreign is not shipped.
fn add_page(contents: &mut Contents, groups: &Groups<'_>, folder: &Path, prefix: &str) -> Result<()> {
    let listing = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in listing {
        let path = entry.with_context(|| format!("reading {}", folder.display()))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let hidden = name.starts_with('.') && name != ".well-known";
        if hidden || name == "node_modules" || name.ends_with(".d.ts") {
            continue;
        }
        if path.is_dir() {
            add_page(contents, groups, &path, &format!("{prefix}{name}/"))?;
        } else {
            groups.add(contents, &format!("{prefix}{name}"), &path)?;
        }
    }
    Ok(())
}

/// Compiles the optimised, stripped worker.
fn compile(project: &Project, backend: &cargo::Backend) -> Result<PathBuf> {
    let (sender, inbox) = channel();
    let tree =
        cargo::build(project, backend, cargo::Profile::Ship, move |message| drop(sender.send(message)))?;
    let bar = std::io::stderr().is_terminal().then(indicatif::ProgressBar::new_spinner);
    let (mut executable, mut errors) = (None, String::new());
    for message in inbox {
        match message {
            cargo::Message::Progress(line) => match &bar {
                Some(bar) => {
                    bar.set_message(style::without_colours(line.trim()));
                    bar.tick();
                }
                None => eprintln!("{line}"),
            },
            cargo::Message::Diagnostic { level, rendered, .. } => {
                if level == "error" {
                    errors += &rendered;
                }
                let text = style::for_terminal(&rendered);
                match &bar {
                    Some(bar) => bar.suspend(|| eprintln!("{text}")),
                    None => eprintln!("{text}"),
                }
            }
            cargo::Message::Compiled(_) | cargo::Message::Script { .. } | cargo::Message::Replayed => {}
            cargo::Message::Executable(path) => executable = Some(path),
            cargo::Message::Finished { success, notices } => {
                if let Some(bar) = &bar {
                    bar.finish_and_clear();
                }
                if !success {
                    let said = if errors.is_empty() { style::for_terminal(&notices) } else { String::new() };
                    bail!("the backend does not compile; build/ is as it was\n{said}");
                }
            }
        }
    }
    drop(tree);
    executable.context("cargo built no executable")
}
