//! Images without a bundler: a save shows where the page names the file, and nothing is loaded again.

use anyhow::ensure;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;

fn square(size: u32) -> String {
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}"><rect width="{size}" height="{size}"/></svg>"#
    )
}

#[test]
fn an_image_is_exchanged_in_place_in_elements_and_style_sheets() {
    play("image_swap", |stage| {
        let project = Project::fixture(stage)?;
        let styles = project.read("frontend/styles.css")?;
        project
            .write("frontend/styles.css", &format!("{styles}\n#heading {{ background: url(icon.svg) }}\n"))?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let load = page.load()?;
        page.run(
            "document.body.append(Object.assign(new Image(), { id: 'picture', src: '/icon.svg' }))",
            &[],
        )?;
        for size in [11, 12] {
            project.write("frontend/icon.svg", &square(size))?;
            let live = format!("return document.querySelector('#picture').naturalWidth === {size}");
            page.wait_for("the new image", &live, EDIT)?;
        }
        let background = "return getComputedStyle(document.querySelector('#heading')).backgroundImage.includes('staysail=i')";
        page.wait_for("the new background", background, EDIT)?;
        ensure!(page.load()? == load, "the page was loaded again for an image");
        Ok(())
    });
}
