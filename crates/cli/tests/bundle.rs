//! `staysail bundle`: one file of the newest release, or none.

mod company;

use company::Company;
use staysail_update::{Archive, TARGET};

#[test]
fn a_bundle_holds_the_newest_release_and_says_until_when_it_counts() {
    let company = Company::new(&[]);
    company.publish("1.1.0", false).unwrap();
    let said = company.does(&["bundle", "repository", "--out", "app.bundle"]);
    assert!(said.contains("com.example.drill 1.1.0 into app.bundle"), "{said}");
    assert!(said.contains(&format!("for {TARGET}")) && said.contains("(29 days)"), "{said}");
    let archive = Archive::open(&company.path("app.bundle")).unwrap();
    let mut names: Vec<_> = archive.files().map(|(path, _)| path.to_owned()).collect();
    names.retain(|name| name.starts_with("metadata/"));
    let metadata = ["1.root.json", "2.snapshot.json", "2.targets.json", "timestamp.json"];
    assert_eq!(names, metadata.map(|name| format!("metadata/{name}")));
    // Made again it takes the place of the one before, whole.
    company.publish("1.2.0", false).unwrap();
    assert!(company.does(&["bundle", "repository", "--out", "app.bundle"]).contains("1.2.0"));
    Archive::open(&company.path("app.bundle")).unwrap();
}

#[test]
fn no_file_is_written_of_what_an_app_would_refuse_or_what_is_not_there() {
    let company = Company::new(&[]);
    let bundle = ["bundle", "repository", "--out", "app.bundle"];
    company.fails(&[&bundle[..], &["--target", "mars"]].concat(), "no backend for mars, only for");
    company.fails(&[&bundle[..], &["--channel", "beta"]].concat(), "no release of the channel beta");
    company.fails(&[&bundle[..], &["--root", "none.json"]].concat(), "reading the trust root none.json");
    let blob = std::fs::read_dir(company.path("repository/blobs")).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&blob).unwrap();
    std::fs::write(&blob, vec![0; whole.len()]).unwrap();
    company.fails(&bundle, "is not what was released");
    std::fs::remove_file(&blob).unwrap();
    company.fails(&bundle, "is not in the repository");
    let other = Company::new(&[]);
    company.fails(
        &[&bundle[..], &["--root", other.path("keys/root.json").to_str().unwrap()]].concat(),
        "refused",
    );
    let left: Vec<_> =
        std::fs::read_dir(company.folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
