//! Which paths have the tickets, where other tables lie beside them.

use crate::ingest::survey::Survey;

/// At most so many objects are listed one by one.
const MOST: usize = 50;

/// The paths of the tickets, if there are objects with other tables among `objects`, which are all
/// objects; `None` if there are none, or no few paths name the others.
pub(super) fn of_tickets(survey: &Survey, objects: &[String]) -> Option<Vec<String>> {
    let of_archive = |object: &String| object.to_ascii_lowercase().contains(".zip/");
    // Those of a table that was named apart are none of the paths.
    let is_listed = |other: &String| objects.contains(other);
    if !survey.other_objects.iter().any(is_listed) || objects.iter().any(of_archive) {
        return None;
    }
    let tickets: Vec<&str> = survey.objects.iter().map(String::as_str).collect();
    if let Some(glob) = glob_of(&tickets) {
        let (beginning, ending) = glob.split_once('*')?;
        let is_meant = |object: &str| {
            object.len() >= beginning.len() + ending.len()
                && object.starts_with(beginning)
                && object.ends_with(ending)
                && !object
                    .get(beginning.len()..object.len() - ending.len())
                    .unwrap_or("/")
                    .contains('/')
        };
        let takes_other = survey.other_objects.iter().any(|object| is_meant(object));
        let takes_all = tickets.iter().all(|object| is_meant(object));
        if takes_all && !takes_other {
            return Some(vec![glob]);
        }
    }
    let rest = objects
        .iter()
        .filter(|object| !survey.other_objects.contains(object));
    let rest: Vec<String> = rest.cloned().collect();
    (rest.len() <= MOST).then_some(rest)
}

/// The glob with one `*` that all names have in common.
fn glob_of(names: &[&str]) -> Option<String> {
    let (first, others) = names.split_first()?;
    if others.is_empty() {
        return None;
    }
    let beginning = others
        .iter()
        .fold(*first, |common, name| common_beginning(common, name));
    // Digits at its end would leave out other days and months.
    let beginning = beginning.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let ending = match first.rfind('.') {
        Some(dot)
            if others
                .iter()
                .all(|name| name.ends_with(first.get(dot..).unwrap_or("/"))) =>
        {
            first.get(dot..)?
        }
        _ => "",
    };
    let is_glob = |letter: char| matches!(letter, '*' | '?' | '[' | '{');
    (!beginning.contains(is_glob)).then(|| format!("{beginning}*{ending}"))
}

fn common_beginning<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one
        .char_indices()
        .zip(other.chars())
        .find(|((_, a), b)| a != b)
        .map(|((at, _), _)| at);
    let end = same.unwrap_or(one.len().min(other.len()));
    one.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(tickets: &[&str], others: &[&str]) -> (Survey, Vec<String>) {
        let names = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let survey = Survey {
            objects: names(tickets),
            other_objects: names(others),
            ..Survey::default()
        };
        let objects = [names(tickets), names(others)].concat();
        (survey, objects)
    }

    #[test]
    fn a_glob_names_the_tickets_and_nothing_else() {
        let (found, all) = survey(&["d/t_200701.csv", "d/t_200702.csv"], &["d/time.csv"]);
        assert_eq!(of_tickets(&found, &all).unwrap(), ["d/t_*.csv"]);
        let (found, all) = survey(&["d/a.csv", "d/b.csv"], &["d/time.csv"]);
        assert_eq!(
            of_tickets(&found, &all).unwrap(),
            ["d/a.csv", "d/b.csv"],
            "a glob would take all"
        );
        let (found, all) = survey(&["d/a.csv"], &["d/time.csv"]);
        assert_eq!(of_tickets(&found, &all).unwrap(), ["d/a.csv"]);
        let (found, all) = survey(&["d/a.csv", "d/b.csv"], &[]);
        assert_eq!(of_tickets(&found, &all), None);
    }
}
