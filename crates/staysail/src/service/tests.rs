//! Services as an app declares them.

use crate::{App, AppHandle, Bytes, Service, State, command, commands, service};

#[derive(Default)]
struct Settings;

#[service]
impl Settings {}

struct Library;

#[service]
impl Library {
    #[start]
    fn start(_app: AppHandle, _settings: State<Settings>) -> Self {
        Self
    }

    /// Searches.
    #[command]
    fn search(&self, query: String, limit: Option<u32>) -> Vec<String> {
        vec![query; limit.unwrap_or(1) as usize]
    }

    #[command]
    async fn load(&self, r#type: String, _settings: State<Settings>, _body: Bytes) -> Result<u32, String> {
        Err(r#type)
    }

    /// No command: the page does not see it.
    #[allow(dead_code)]
    fn private(&self) {}
}

struct Index;

#[service(name = "words")]
impl Index {
    #[start]
    fn start(_library: State<Library>) -> Result<Self, String> {
        Ok(Self)
    }
    #[command]
    fn count(&self, query: String) -> u32 {
        query.len() as u32
    }
}

#[command]
fn ask(library: State<Library>) -> u32 {
    library.search(String::new(), None).len() as u32
}

fn refusal(app: App) -> String {
    app.describe().expect_err("refused").to_string()
}

#[test]
fn methods_are_commands_named_after_the_service_with_their_docs_and_types() {
    let app = App::new("dev.staysail.test").service::<Index>().service::<Library>().service::<Settings>();
    let description = app.commands(commands![ask]).describe().unwrap();
    let names: Vec<_> = description.commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(names, ["ask", "library.load", "library.search", "words.count"]);
    let search = &description.commands[2];
    assert_eq!(search.arguments, "{ query: string; limit?: number | null }");
    assert_eq!((search.result.as_str(), search.doc.as_str()), ("Array<string>", "Searches."));
    let load = &description.commands[1];
    assert_eq!((load.arguments.as_str(), load.error.as_str()), ("{ type: string }", "string"));
    assert_eq!((Library::NAME, Index::NAME), ("library", "words"));
}

#[test]
fn a_service_that_needs_one_nobody_added_is_refused_with_the_chain() {
    let message = refusal(App::new("dev.staysail.test").service::<Index>().service::<Library>());
    for part in ["the service `words` → `library` needs a ", "tests::Settings", "App::service"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_command_that_uses_a_service_nobody_added_is_refused() {
    let message = refusal(App::new("dev.staysail.test").commands(commands![ask]));
    assert!(message.contains("the command `ask`") && message.contains("App::service"), "{message}");
}

#[test]
fn services_that_need_each_other_are_refused_by_name() {
    struct Hen;
    struct Egg;
    #[service]
    impl Hen {
        #[start]
        fn start(_egg: State<Egg>) -> Self {
            Self
        }
    }
    #[service]
    impl Egg {
        #[start]
        fn start(_hen: State<Hen>) -> Self {
            Self
        }
    }
    let message = refusal(App::new("dev.staysail.test").service::<Hen>().service::<Egg>());
    assert!(message.contains("`hen` → `egg` → `hen`"), "{message}");
}

#[test]
fn one_thing_is_not_given_twice() {
    let message = refusal(App::new("dev.staysail.test").manage(Settings).service::<Settings>());
    assert!(message.contains("`settings` was given with App::manage"), "{message}");
    let message = refusal(App::new("dev.staysail.test").service::<Settings>().service::<Settings>());
    assert!(message.contains("added twice"), "{message}");
}
