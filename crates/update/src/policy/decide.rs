//! What becomes of a release: of conditions, urgency, time and the user's choice one decision.

use super::Verdict;

/// What the user chose about a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// Nothing.
    #[default]
    None,
    /// Now.
    Now,
    /// Later: not yet.
    Later,
    /// Never this version.
    Skip,
}

/// What a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The release is critical for the version that runs.
    pub critical: bool,
    /// What the user chose.
    pub choice: Choice,
    /// The condition of the step in question.
    pub condition: Verdict,
    /// The release was postponed as long as it may be.
    pub overdue: bool,
    /// Nobody would be disturbed.
    pub quiet: bool,
}

/// What becomes of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Go,
    /// Not now; ask again.
    Wait,
    /// Not this release, ask no more.
    Leave,
}

/// Decides. What is critical and what the user wants now goes on at once. What the user skips is left. Everything else waits
/// for its condition and for the user's time, but not beyond the days it may be postponed: then for the next quiet.
///
/// ```
/// use staysail_update::policy::{Choice, Decision, Question, Verdict, decide};
/// let question = Question {
///     critical: false, choice: Choice::None, condition: Verdict::False, overdue: false, quiet: true,
/// };
/// assert_eq!(decide(&question), Decision::Wait);
/// assert_eq!(decide(&Question { overdue: true, ..question }), Decision::Go);
/// ```
pub fn decide(question: &Question) -> Decision {
    match question.choice {
        _ if question.critical => Decision::Go,
        Choice::Now => Decision::Go,
        Choice::Skip => Decision::Leave,
        _ if question.overdue && question.quiet => Decision::Go,
        Choice::None if question.condition == Verdict::True => Decision::Go,
        _ => Decision::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as people would write it down, first row that fits counts; `*` fits everything.
    const TABLE: &str = "
        critical choice condition overdue quiet : decision
        yes      *      *         *       *     : Go
        no       now    *         *       *     : Go
        no       skip   *         *       *     : Leave
        no       none   true      *       *     : Go
        no       none   false     no      *     : Wait
        no       none   false     yes     no    : Wait
        no       none   false     yes     yes   : Go
        no       none   metered   no      *     : Wait
        no       none   metered   yes     no    : Wait
        no       none   metered   yes     yes   : Go
        no       none   unknown   no      *     : Wait
        no       none   unknown   yes     no    : Wait
        no       none   unknown   yes     yes   : Go
        no       later  *         no      *     : Wait
        no       later  *         yes     no    : Wait
        no       later  *         yes     yes   : Go
    ";

    #[test]
    fn in_every_case_there_is_the_decision_of_the_table() {
        let rows: Vec<(Vec<&str>, &str)> = TABLE
            .lines()
            .filter_map(|line| line.split_once(':'))
            .skip(1)
            .map(|(case, decision)| (case.split_whitespace().collect(), decision.trim()))
            .collect();
        let mut used = vec![false; rows.len()];
        let mut cases = 0;
        let yes_no = [(true, "yes"), (false, "no")];
        let choices =
            [(Choice::None, "none"), (Choice::Now, "now"), (Choice::Later, "later"), (Choice::Skip, "skip")];
        let verdicts = [
            (Verdict::True, "true"),
            (Verdict::False, "false"),
            (Verdict::Metered, "metered"),
            (Verdict::Unknown(String::new()), "unknown"),
        ];
        for (critical, a) in yes_no {
            for (choice, b) in choices {
                for (condition, c) in verdicts.clone() {
                    for (overdue, d) in yes_no {
                        for (quiet, e) in yes_no {
                            let case = [a, b, c, d, e];
                            let fits = |row: &[&str]| {
                                row.iter().zip(case).all(|(row, is)| *row == "*" || *row == is)
                            };
                            let mut fitting = rows.iter().enumerate().filter(|(_, (row, _))| fits(row));
                            let (at, (_, wanted)) =
                                fitting.next().unwrap_or_else(|| panic!("no row for {case:?}"));
                            assert!(fitting.next().is_none(), "two rows for {case:?}");
                            let condition = condition.clone();
                            let question = Question { critical, choice, condition, overdue, quiet };
                            assert_eq!(format!("{:?}", decide(&question)), *wanted, "{case:?}");
                            used[at] = true;
                            cases += 1;
                        }
                    }
                }
            }
        }
        assert!(used.iter().all(|used| *used) && cases == 2 * 4 * 4 * 2 * 2);
    }
}
