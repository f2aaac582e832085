//! Tables of a data lake: folders in which files that no longer count lie beside those that do.
//!
//! Which files count is written in a log, which is not read here. To read all files would bring back
//! rows that were deleted, so such a folder is refused.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::store::{self, Found, Location};

/// A kind of table that keeps a log beside its files.
#[derive(Debug)]
struct LakeFormat {
    name: &'static str,
    /// The folder of the log, beside the files or above them.
    log: &'static str,
    /// How the names of the files in it end.
    ending: &'static str,
    /// What reads the current rows of a table in DuckDB, if it can.
    scan: Option<&'static str>,
}

static LAKE_FORMATS: [LakeFormat; 3] = [
    LakeFormat {
        name: "Delta",
        log: "_delta_log",
        ending: "",
        scan: Some("delta_scan"),
    },
    LakeFormat {
        name: "Iceberg",
        log: "metadata",
        ending: ".metadata.json",
        scan: Some("iceberg_scan"),
    },
    LakeFormat {
        name: "Hudi",
        log: ".hoodie",
        ending: "",
        scan: None,
    },
];

/// How many folders above the one that was named are looked at for a log: partitions lie below it.
const LEVELS_ABOVE: usize = 3;

/// Refuses what was found if it belongs to a table of a data lake. `looked_at` are the folders of named
/// files that belong to none.
///
/// # Errors
/// If it does, or if the folders above cannot be looked at.
pub(super) async fn refuse(found: &Found, looked_at: &mut BTreeSet<String>) -> Result<()> {
    let objects = found.objects.iter().map(|object| object.uri.as_str());
    for name in objects.chain(found.hidden.iter().map(String::as_str)) {
        if let Some((table, format)) = log_in_path(name) {
            return Err(format.refusal(table));
        }
    }
    if let Some(folder) = &found.folder {
        return refuse_below_log(folder.clone()).await;
    }
    for object in &found.objects {
        // The files of these tables are Parquet.
        let folder = object
            .uri
            .rsplit_once('/')
            .map_or(".", |(folder, _)| folder);
        if object.uri.ends_with(".parquet")
            && looked_at.insert(folder.to_owned())
            && let Ok(folder) = store::open(folder).await
        {
            refuse_below_log(folder).await?;
        }
    }
    Ok(())
}

/// Refuses a folder if it, or one above it, has the log of a table.
async fn refuse_below_log(mut folder: Location) -> Result<()> {
    for _ in 0..=LEVELS_ABOVE {
        for format in &LAKE_FORMATS {
            if format.has_log_in(&folder).await {
                return Err(format.refusal(&folder.name()));
            }
        }
        match folder.path.rsplit_once('/') {
            Some((above, _)) => folder.path = above.to_owned(),
            None if folder.path.is_empty() => break,
            None => folder.path = String::new(),
        }
    }
    Ok(())
}

/// The folder of a table and its format, if an object belongs to its log.
fn log_in_path(name: &str) -> Option<(&str, &'static LakeFormat)> {
    LAKE_FORMATS.iter().find_map(|format| {
        let log = format!("/{}/", format.log);
        let at = name.rfind(&log)?;
        let table = name.get(..at)?;
        (format.ending.is_empty() || name.ends_with(format.ending)).then_some((table, format))
    })
}

impl LakeFormat {
    /// Whether a folder has the log of a table. One that cannot be looked at has none: the
    /// permission may end at the folder that was named.
    async fn has_log_in(&self, folder: &Location) -> bool {
        let log = folder.child(self.log).path;
        let names = folder.store.children(&log).await.unwrap_or_default();
        names.iter().any(|name| name.ends_with(self.ending))
    }

    fn refusal(&self, table: &str) -> Error {
        let name = self.name;
        let error = Error::input(format!(
            "it is a table in the format {name}, whose folder also keeps files that no longer count: what was deleted or replaced would be read again"
        ))
        .object(table);
        match self.scan {
            Some(scan) => error.hint(format!(
                "write its current rows: duckdb -c \"COPY (FROM {scan}('{table}')) TO 'tickets.parquet'\", and name tickets.parquet; or pipe them: duckdb -csv -c \"FROM {scan}('{table}')\" | okuo … --input -"
            )),
            None => error.hint(format!(
                "write its current rows as plain Parquet with Spark, and name those: spark.read.format(\"hudi\").load(\"{table}\").write.parquet(\"tickets\")"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_a_table_is_told_by_its_path() {
        let log = |name| log_in_path(name).map(|(table, format)| (table, format.name));
        assert_eq!(
            log("lake/sales/_delta_log/0.json"),
            Some(("lake/sales", "Delta"))
        );
        assert_eq!(
            log("s3://b/sales/metadata/v2.metadata.json"),
            Some(("s3://b/sales", "Iceberg"))
        );
        assert_eq!(
            log("/x/sales/.hoodie/hoodie.properties"),
            Some(("/x/sales", "Hudi"))
        );
        assert_eq!(log("/x/metadata/2024.csv"), None);
        assert_eq!(log("/x/_delta_log.csv"), None);
    }
}
