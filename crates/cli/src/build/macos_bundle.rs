//! The bundle macOS starts: a folder with the executable and an `Info.plist`, from which Launch Services knows which links
//! and kinds of files the app opens. It is neither signed nor has it an icon.

use anyhow::{Context, Result};
use staysail_protocol::desktop::app::{FileType, Opens};
use staysail_protocol::manifest::Manifest;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Makes `NAME.app` beside `executable`, with a copy of it, in place of the one before. Returns where it is.
///
/// # Errors
/// What the disk said, with the path.
pub fn make(executable: &Path, manifest: &Manifest) -> Result<PathBuf> {
    let name = executable.file_name().context("the executable has no name")?;
    let bundle = executable.with_extension("app");
    let contents = bundle.join("Contents");
    if bundle.exists() {
        std::fs::remove_dir_all(&bundle).with_context(|| format!("removing {}", bundle.display()))?;
    }
    let folder = contents.join("MacOS");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let copy = folder.join(name);
    std::fs::copy(executable, &copy).with_context(|| format!("writing {}", copy.display()))?;
    let list = contents.join("Info.plist");
    std::fs::write(&list, information(manifest, &name.to_string_lossy()))
        .with_context(|| format!("writing {}", list.display()))?;
    Ok(bundle)
}

/// The text of `Info.plist`.
fn information(manifest: &Manifest, executable: &str) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\"><dict>\n",
    );
    // A version is of three numbers there; what follows is for people only.
    let version = manifest.version.split(['-', '+']).next().unwrap_or_default();
    for (key, value) in [
        ("CFBundleExecutable", executable),
        ("CFBundleIdentifier", &manifest.app),
        ("CFBundleName", &manifest.name),
        ("CFBundleDisplayName", &manifest.name),
        ("CFBundlePackageType", "APPL"),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("CFBundleShortVersionString", version),
        ("CFBundleVersion", version),
        ("NSPrincipalClass", "NSApplication"),
    ] {
        let _ = writeln!(text, "<key>{key}</key><string>{}</string>", escaped(value));
    }
    text += "<key>NSHighResolutionCapable</key><true/>\n";
    let opens = &manifest.desktop.opens;
    if !opens.unregistered {
        text += &links(opens, &manifest.app);
        text += &files(&opens.files, &manifest.app);
    }
    text + "</dict></plist>\n"
}

fn links(opens: &Opens, app: &str) -> String {
    if opens.schemes.is_empty() {
        return String::new();
    }
    format!(
        "<key>CFBundleURLTypes</key><array><dict>\n<key>CFBundleURLName</key><string>{}</string>\n\
         <key>CFBundleURLSchemes</key>{}</dict></array>\n",
        escaped(app),
        array(&opens.schemes)
    )
}

fn files(files: &[FileType], app: &str) -> String {
    if files.is_empty() {
        return String::new();
    }
    let types: String = files
        .iter()
        .map(|file| {
            let mime = file.mime_in(app);
            let name = if file.description.is_empty() { &mime } else { &file.description };
            format!(
                "<dict>\n<key>CFBundleTypeName</key><string>{}</string>\n<key>CFBundleTypeRole</key><string>Editor</string>\n\
                 <key>LSHandlerRank</key><string>Alternate</string>\n<key>CFBundleTypeExtensions</key>{}\
                 <key>CFBundleTypeMIMETypes</key>{}</dict>\n",
                escaped(name),
                array(&file.extensions),
                array(std::slice::from_ref(&mime))
            )
        })
        .collect();
    format!("<key>CFBundleDocumentTypes</key><array>\n{types}</array>\n")
}

fn array(words: &[String]) -> String {
    let words: String = words.iter().map(|word| format!("<string>{}</string>", escaped(word))).collect();
    format!("<array>{words}</array>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{Manifest, make};
    use staysail_protocol::desktop::app::FileType;

    #[test]
    fn the_bundle_holds_the_executable_and_names_links_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("charts");
        std::fs::write(&executable, "the program").unwrap();
        let mut manifest = Manifest {
            app: "com.example.charts".into(),
            name: "Charts & <Maps>".into(),
            version: "1.2.3-beta.1".into(),
            ..Manifest::default()
        };
        let plain =
            std::fs::read_to_string(make(&executable, &manifest).unwrap().join("Contents/Info.plist"));
        assert!(!plain.unwrap().contains("Types"), "an app that opens nothing says nothing");

        manifest.desktop.opens.schemes = vec!["charts".into()];
        manifest.desktop.opens.files = vec![FileType {
            extensions: vec!["kap".into(), "bsb".into()],
            description: "Nautical chart".into(),
            ..FileType::default()
        }];
        let left = folder.path().join("charts.app/Contents/left");
        std::fs::write(&left, "of the build before").unwrap();
        let bundle = make(&executable, &manifest).unwrap();
        assert!(bundle.ends_with("charts.app") && !left.exists());
        let program = std::fs::read_to_string(bundle.join("Contents/MacOS/charts")).unwrap();
        assert_eq!(program, "the program");
        let text = std::fs::read_to_string(bundle.join("Contents/Info.plist")).unwrap();
        for line in [
            "<key>CFBundleExecutable</key><string>charts</string>",
            "<key>CFBundleIdentifier</key><string>com.example.charts</string>",
            "<key>CFBundleName</key><string>Charts &amp; &lt;Maps&gt;</string>",
            "<key>CFBundleVersion</key><string>1.2.3</string>",
            "<key>CFBundleURLSchemes</key><array><string>charts</string></array>",
            "<key>CFBundleTypeName</key><string>Nautical chart</string>",
            "<key>CFBundleTypeExtensions</key><array><string>kap</string><string>bsb</string></array>",
            "<string>application/x-com.example.charts-kap</string>",
        ] {
            assert!(text.lines().any(|found| found.contains(line)), "{line} is not in\n{text}");
        }

        manifest.desktop.opens.unregistered = true;
        let bundle = make(&executable, &manifest).unwrap();
        let text = std::fs::read_to_string(bundle.join("Contents/Info.plist")).unwrap();
        assert!(!text.contains("Types"), "an installer registers them");
    }
}
