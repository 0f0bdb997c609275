import { Channel, invoke } from "@staysail/api";
import { type CSSProperties, type SubmitEvent, useEffect, useState } from "react";
import Sail from "./Sail";
import { useEvent, useNews, usePreserved } from "./hooks";
import { counted, wayOf } from "./words";

export default function App() {
  const [name, setName] = usePreserved("name", "");
  const [answer, setAnswer] = usePreserved("answer", "");
  const [greetings, setGreetings] = useState(0);
  const [hundredths, setHundredths] = useState(0);
  const [sailing, setSailing] = useState(false);
  const news = useNews();

  // An event from the backend, and what it remembers from before.
  useEvent("greeted", (event) => setGreetings(event.greetings));
  useEffect(() => {
    invoke("session").then((session) => setGreetings(session.greetings), console.error);
  }, []);

  // A command.
  async function greet(event: SubmitEvent) {
    event.preventDefault();
    try {
      setAnswer(await invoke("greet", { name }));
    } catch (error) {
      setAnswer(String(error));
    }
  }

  // A stream: one command, many messages.
  async function sail() {
    setSailing(true);
    try {
      await invoke("sail", { progress: new Channel<number>(setHundredths) });
    } catch (error) {
      setAnswer(String(error));
    }
    setSailing(false);
  }

  return (
    <main>
      <Sail className="sail" />
      <h1>{{title}}</h1>

      <form id="greet" onSubmit={greet}>
        <input
          id="name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          placeholder="Your name"
          aria-label="Your name"
          autoComplete="off"
          spellCheck={false}
          autoFocus
        />
        <button>Greet</button>
      </form>
      <p id="answer" role="status">
        {answer}
      </p>

      <div className="voyage">
        <div
          className="water"
          id="water"
          style={{ "--way": wayOf(hundredths) } as CSSProperties}
          role="progressbar"
          aria-label="The boat's way"
          aria-valuenow={hundredths}
        >
          <Sail className="boat" />
        </div>
        <button id="sail" type="button" onClick={sail} disabled={sailing}>
          Set sail
        </button>
      </div>

      <section className="cards" aria-label="Try this">
        <article>
          <h2>
            Edit <code>frontend/src/App.tsx</code> and save
          </h2>
          <p>React exchanges the component. What you typed stays.</p>
        </article>
        <article>
          <h2>
            Edit <code>backend/core/src/lib.rs</code> and save
          </h2>
          <p>Change the greeting. The window, your text and the count stay.</p>
        </article>
      </section>

      <footer>
        <span id="count">{counted(greetings)}</span>
        <span id="news" role="status">
          {news}
        </span>
      </footer>
    </main>
  );
}
