//! What has happened to the update that is under way, for a page that comes up meanwhile.

use staysail_protocol::notice::UpdateEvent;

/// Adds an event to the story, and takes out what it makes untrue. The choice of a channel or version stands first, and
/// outlives the update.
pub fn tell(story: &mut Vec<UpdateEvent>, event: &UpdateEvent) {
    use UpdateEvent::{
        Applied, Available, Committed, Compared, Failed, Following, Held, Progress, RolledBack, Skipped,
        Staged, Waiting,
    };
    let replaced = |kept: &UpdateEvent| match event {
        Following { .. } => matches!(kept, Following { .. }),
        Available { .. } | Committed { .. } | Skipped { .. } | RolledBack { .. } => {
            !matches!(kept, Following { .. })
        }
        Progress { .. } => matches!(kept, Progress { .. }),
        Staged { .. } | Waiting { .. } | Held { .. } | Applied { .. } => {
            matches!(kept, Progress { .. } | Waiting { .. } | Held { .. })
        }
        Compared { .. } => {
            matches!(kept, Progress { .. } | Waiting { .. } | Held { .. } | Compared { .. })
        }
        Failed { .. } => matches!(kept, Progress { .. }),
    };
    story.retain(|kept| !replaced(kept));
    match event {
        Following { .. } => story.insert(0, event.clone()),
        // The end: what comes up now shows the outcome itself.
        Committed { .. } | Skipped { .. } | RolledBack { .. } | Failed { .. } => {}
        _ => story.push(event.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(story: &[UpdateEvent]) -> Vec<String> {
        let value = |event| serde_json::to_value(event).unwrap()["kind"].as_str().unwrap().to_owned();
        story.iter().map(value).collect()
    }

    #[test]
    fn a_story_holds_what_still_counts_and_ends_with_the_update() {
        let version = || "1.1.0".to_owned();
        let progress = |bytes| UpdateEvent::Progress { version: version(), bytes, total: 9, left_s: None };
        let reason = || "later".to_owned();
        let mut story = Vec::new();
        for (event, expected) in [
            (UpdateEvent::Available { version: version(), notes: String::new(), bytes: 9 }, "available"),
            (progress(3), "available progress"),
            (progress(6), "available progress"),
            (UpdateEvent::Staged { version: version() }, "available staged"),
            (UpdateEvent::Waiting { version: version(), reason: reason() }, "available staged waiting"),
            (UpdateEvent::Waiting { version: version(), reason: reason() }, "available staged waiting"),
            (
                UpdateEvent::Following { channel: "beta".into(), pinned: None },
                "following available staged waiting",
            ),
            (UpdateEvent::Failed { reason: reason() }, "following available staged waiting"),
            (
                UpdateEvent::Applied { version: version(), milliseconds: 1.0 },
                "following available staged applied",
            ),
            (UpdateEvent::Committed { version: version() }, "following"),
            (UpdateEvent::Held { version: version(), reason: reason() }, "following held"),
            (UpdateEvent::Following { channel: "stable".into(), pinned: None }, "following held"),
        ] {
            tell(&mut story, &event);
            assert_eq!(kinds(&story).join(" "), expected, "{event:?}");
        }
        assert_eq!(story[0], UpdateEvent::Following { channel: "stable".into(), pinned: None });
    }
}
