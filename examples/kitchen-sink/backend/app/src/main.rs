//! Kitchen Sink: every feature of Staysail, each with the code behind it. This file only puts the app together.

mod desktop;
mod starts;

use kitchen_sink_keep::{Logbook, Voyage, state};
use kitchen_sink_talk::{binary, calls, events, streams};
use staysail::{App, FileType, Window, command, commands};

/// The sources the page shows; compiled in, so that they are those that run.
const SOURCES: [&[(&str, &str)]; 5] = [
    kitchen_sink_keep::SOURCES,
    kitchen_sink_talk::SOURCES,
    desktop::SOURCES,
    starts::SOURCES,
    &[("backend/app/src/main.rs", include_str!("main.rs"))],
];

/// A source file of the backend.
#[command]
fn source(path: String) -> Option<&'static str> {
    SOURCES.iter().copied().flatten().find(|(known, _)| *known == path).map(|(_, text)| *text)
}

fn main() -> staysail::Result {
    App::new("dev.staysail.kitchen-sink")
        .window(
            Window::new("main")
                .title("Kitchen Sink")
                .size(1180.0, 800.0)
                .min_size(420.0, 360.0)
                .remember(true),
        )
        .menu(desktop::menu())
        // #region again
        .single_instance()
        // #endregion
        // #region link
        .deep_link("kitchen-sink")
        // #endregion
        // #region file
        .file_type(FileType {
            extensions: vec!["chart".into()],
            description: "Sea chart".into(),
            ..FileType::default()
        })
        // #endregion
        .keep("voyage", Voyage::default())
        .manage(streams::Poured::default())
        .manage(starts::Charts::default())
        .service::<Logbook>()
        .event::<calls::SearchEnded>()
        .event::<events::Bell>()
        .setup(|app| {
            events::listen(app);
            starts::listen(app);
            Ok::<(), String>(())
        })
        .commands(commands![
            source,
            calls::greet,
            calls::order,
            calls::careless,
            calls::search_ocean,
            binary::invert,
            binary::echo,
            streams::pack,
            streams::buoys,
            streams::pour,
            streams::poured,
            streams::count_words,
            events::ring,
            state::sail,
            state::voyage,
            state::pace,
            state::sink,
            desktop::data_folder,
            desktop::open_from_rust,
            desktop::ask_from_rust,
            desktop::notify_from_rust,
            starts::start_again,
            starts::open_chart,
            starts::opened_chart,
        ])
        .run()
}
