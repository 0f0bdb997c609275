//! Full-text search: every word must occur, the beginning of a word counts more than its middle, the name more than
//! the text.

use crate::folder::Note;
use crate::markdown::plain;

/// Most hits of one search.
const HITS_MAX: usize = 100;
/// Characters of text around the first place.
const SNIPPET_CHARS: usize = 150;

/// A note that was found.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its name.
    pub name: String,
    /// Text around the first place, in pieces.
    pub snippet: Vec<Piece>,
    /// Places in all.
    #[data(number)]
    pub places: usize,
}

/// A piece of a snippet.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is one of the words searched for.
    pub hit: bool,
}

/// The notes that hold all words of `query`, the best first.
pub fn rank(query: &str, notes: impl Iterator<Item = Note>) -> Vec<Hit> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut hits: Vec<(usize, Hit)> = notes.filter_map(|note| score(&words, &note)).collect();
    hits.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    hits.into_iter().take(HITS_MAX).map(|(_, hit)| hit).collect()
}

fn score(words: &[String], note: &Note) -> Option<(usize, Hit)> {
    let text = plain(&note.text).replace('\n', " · ");
    let (lower_text, lower_name) = (Lower::new(&text), Lower::new(&note.name));
    let (mut total, mut places) = (0, 0);
    for word in words {
        let (in_name, in_text) = (lower_name.places(word), lower_text.places(word));
        if in_name.is_empty() && in_text.is_empty() {
            return None;
        }
        places += in_name.len() + in_text.len();
        let weight = |lower: &Lower, places: &[usize]| -> usize {
            places.iter().map(|place| if lower.begins_word(*place) { 3 } else { 1 }).sum()
        };
        total += 10 * weight(&lower_name, &in_name) + weight(&lower_text, &in_text).min(30);
    }
    Some((total, Hit { name: note.name.clone(), snippet: snippet(words, &lower_text), places }))
}

/// A text and its lower case, character by character, so that places in one are places in the other.
struct Lower {
    original: Vec<char>,
    lower: Vec<char>,
}

impl Lower {
    fn new(text: &str) -> Self {
        let original: Vec<char> = text.chars().collect();
        let lower = original.iter().map(|c| c.to_lowercase().next().unwrap_or(*c)).collect();
        Self { original, lower }
    }

    fn places(&self, word: &str) -> Vec<usize> {
        let word: Vec<char> = word.chars().collect();
        let mut places = Vec::new();
        let mut at = 0;
        while at + word.len() <= self.lower.len() {
            if self.lower[at..at + word.len()] == word[..] {
                places.push(at);
                at += word.len();
            } else {
                at += 1;
            }
        }
        places
    }

    fn begins_word(&self, place: usize) -> bool {
        place == 0 || !self.lower[place - 1].is_alphanumeric()
    }
}

fn snippet(words: &[String], text: &Lower) -> Vec<Piece> {
    let mut marks: Vec<(usize, usize)> = words
        .iter()
        .flat_map(|word| {
            text.places(word).into_iter().map(move |place| (place, place + word.chars().count()))
        })
        .collect();
    marks.sort_unstable();
    let start = marks.first().map_or(0, |(first, _)| first.saturating_sub(30));
    let end = (start + SNIPPET_CHARS).min(text.original.len());
    let mut pieces = Vec::new();
    let mut push = |from: usize, to: usize, hit: bool| {
        if from < to {
            pieces.push(Piece { text: text.original[from..to].iter().collect(), hit });
        }
    };
    let mut at = start;
    for (from, to) in marks {
        let (from, to) = (from.max(at), to.min(end));
        if from < to {
            push(at, from, false);
            push(from, to, true);
            at = to;
        }
    }
    push(at, end, false);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(query: &str, notes: &[(&str, &str)]) -> Vec<Hit> {
        rank(query, notes.iter().map(|(name, text)| Note { name: (*name).into(), text: (*text).into() }))
    }

    #[test]
    fn every_word_must_occur_and_the_name_counts_most() {
        let notes = [("Knots", "a bowline"), ("Bowline", "a knot"), ("Sails", "canvas")];
        let names: Vec<_> = found("bowl kno", &notes).into_iter().map(|hit| hit.name).collect();
        assert_eq!(names, ["Bowline", "Knots"]);
        assert!(found("bowline canvas", &notes).is_empty());
    }

    #[test]
    fn places_are_marked_in_the_original_spelling() {
        let hit = &found("ÜBER", &[("n", "Fahrt über die Über-See")])[0];
        let marked: Vec<_> =
            hit.snippet.iter().filter(|piece| piece.hit).map(|piece| piece.text.as_str()).collect();
        assert_eq!(marked, ["über", "Über"]);
        assert_eq!(hit.places, 2);
    }

    #[test]
    fn nothing_is_found_by_nothing() {
        assert!(found("  ", &[("a", "b")]).is_empty());
    }
}
