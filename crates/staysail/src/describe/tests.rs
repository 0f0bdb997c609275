//! What is found when an app describes itself.

use crate::{App, BigInt, Event, Number, command, commands};
use staysail_protocol::interface::Description;
use std::collections::HashMap;

fn described(commands: Vec<crate::command::Command>) -> Result<Description, String> {
    App::new("dev.staysail.test").commands(commands).describe().map_err(|error| error.to_string())
}

fn refusal(commands: Vec<crate::command::Command>) -> String {
    described(commands).expect_err("refused")
}

#[crate::data]
struct Note {
    id: u32,
    size: u64,
}

#[command]
fn note() -> Option<Note> {
    None
}

#[test]
fn a_large_integer_on_its_way_to_the_page_is_refused_with_its_place_and_the_remedy() {
    let message = refusal(commands![note]);
    assert_eq!(message.matches(" holds a ").count(), 1, "{message}");
    for part in [
        "tests::Note` holds a `u64`",
        "the answer of the command `note`",
        "#[data(number)]",
        "staysail::BigInt<u64>`",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn large_integers_are_found_wherever_they_stand() {
    #[crate::data]
    struct Deep {
        deep: HashMap<String, Vec<Option<(String, usize)>>>,
    }
    #[crate::data]
    #[derive(Debug)]
    enum Failed {
        After { tries: i64 },
    }
    #[crate::data]
    struct Page<T> {
        items: Vec<T>,
    }
    #[crate::data]
    #[derive(crate::Event)]
    struct Grown {
        bytes: u128,
    }
    #[command]
    fn deep() -> Deep {
        Deep { deep: HashMap::new() }
    }
    #[command]
    fn fails() -> Result<(), Failed> {
        Err(Failed::After { tries: 1 })
    }
    #[command]
    fn paged() -> Page<std::num::NonZeroU64> {
        Page { items: Vec::new() }
    }
    #[command]
    fn direct() -> Vec<isize> {
        Vec::new()
    }
    let error = App::new("dev.staysail.test")
        .event::<Grown>()
        .commands(commands![deep, fails, paged, direct])
        .describe()
        .expect_err("refused")
        .to_string();
    for part in [
        "`usize`",
        "the error of the command `fails`",
        "answer of the command `paged` holds a `NonZeroU64`",
        "`isize`",
        "the event `grown`",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(error.lines().count(), 7, "a line each: {error}");
    assert_eq!(error.matches(" holds a ").count(), 6, "each place once: {error}");
    assert_eq!(error.matches("#[data(bigint)]").count(), 1, "the advice once: {error}");
    assert_eq!(Grown::NAME, "grown");
}

#[test]
fn large_integers_are_welcome_from_the_page_and_where_they_were_chosen() {
    #[crate::data]
    struct Filter {
        least: u64,
    }
    #[crate::data]
    struct Chosen {
        #[data(number)]
        words: usize,
        #[data(bigint)]
        id: u64,
    }
    #[command]
    fn find(filter: Filter, from: usize) -> Vec<BigInt<u64>> {
        vec![BigInt(filter.least), BigInt(from as u64)]
    }
    #[command]
    fn chosen() -> (Chosen, Number<u64>) {
        (Chosen { words: 1, id: 1 }, Number(1))
    }
    let description = described(commands![find, chosen]).unwrap();
    assert_eq!(description.commands[0].result, "[Chosen, number]");
    assert_eq!(description.commands[1].arguments, "{ filter: Filter; from: number }");
    assert_eq!(description.commands[1].result, "Array<`${bigint}`>");
}

#[test]
fn messages_of_a_channel_go_to_the_page_and_those_of_a_receiver_come_from_it() {
    #[command]
    fn told(news: Option<crate::Channel<Vec<u64>>>) {
        drop(news);
    }
    #[command]
    fn asked(questions: crate::Receiver<u64>) {
        drop(questions);
    }
    assert!(described(commands![asked]).is_ok());
    let message = refusal(commands![told]);
    assert!(message.contains("the argument `news` of the command `told` holds a `u64`"), "{message}");
}

#[test]
fn a_type_that_was_sent_first_is_looked_at_again_when_it_is_answered() {
    #[command]
    fn a_store(note: Note) {
        let _ = (note.id, note.size);
    }
    #[command]
    fn b_load() -> Note {
        Note { id: 1, size: 1 }
    }
    assert!(described(commands![a_store]).is_ok());
    assert!(refusal(commands![a_store, b_load]).contains("`u64`"));
}

mod elsewhere {
    #[crate::data]
    pub struct Hit {
        pub text: String,
    }
}

#[crate::data]
struct Hit {
    line: u32,
}

#[test]
fn two_types_of_one_name_are_refused_by_their_paths_and_a_generic_type_is_one_type() {
    #[crate::data]
    struct Of<T> {
        inner: T,
    }
    #[command]
    fn one() -> Of<Hit> {
        Of { inner: Hit { line: 1 } }
    }
    #[command]
    fn other() -> Of<elsewhere::Hit> {
        Of { inner: elsewhere::Hit { text: String::new() } }
    }
    #[command]
    fn text() -> Of<String> {
        Of { inner: String::new() }
    }
    assert!(described(commands![one, text]).is_ok());
    let message = refusal(commands![one, other]);
    for part in ["tests::Hit`", "tests::elsewhere::Hit`", "#[ts(rename"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_name_that_means_something_else_in_the_generated_file_is_refused() {
    #[crate::data]
    struct Array {
        length: u32,
    }
    #[command]
    fn array() -> Array {
        Array { length: 0 }
    }
    assert!(refusal(commands![array]).contains("can not be named `Array`"));
}

#[test]
fn the_interface_is_the_same_with_and_without_doc_comments_and_another_one_with_another_field() {
    mod plain {
        #[crate::data]
        pub struct Note {
            pub id: u32,
        }
        #[crate::command]
        pub fn read() -> Note {
            Note { id: 1 }
        }
    }
    mod documented {
        /// A note.
        #[crate::data]
        pub struct Note {
            /// Its number.
            pub id: u32,
        }
        /// Reads it.
        #[crate::command]
        pub fn read() -> Note {
            Note { id: 1 }
        }
    }
    mod changed {
        #[crate::data]
        pub struct Note {
            pub ids: u32,
        }
        #[crate::command]
        pub fn read() -> Note {
            Note { ids: 1 }
        }
    }
    let plain = described(commands![plain::read]).unwrap();
    let documented = described(commands![documented::read]).unwrap();
    assert_ne!(plain.types, documented.types);
    assert_eq!(plain.interface, documented.interface);
    assert_ne!(plain.interface, described(commands![changed::read]).unwrap().interface);
}

#[test]
fn a_command_says_whether_it_is_read_only_and_a_page_observes_nothing_of_it() {
    #[command(read_only)]
    fn look() -> u32 {
        1
    }
    let other = {
        #[command]
        fn look() -> u32 {
            1
        }
        described(commands![look]).unwrap()
    };
    let read_only = described(commands![look]).unwrap();
    assert!(read_only.commands[0].read_only && !other.commands[0].read_only);
    assert_eq!(read_only.interface, other.interface);
}
