use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tantivy::collector::Count;
use tantivy::index::Index as Tantivy;
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{AllQuery, BooleanQuery, ConstScoreQuery, Occur, Query};
use tantivy::schema::{
    FAST, Field, IndexRecordOption, STORED, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
    Value,
};
use tantivy::tokenizer::{TextAnalyzer, WhitespaceTokenizer};
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use super::query::{self, Fields};
use super::rank::{Best, Place};
use super::text;
use crate::domain::{Category, Product};
use crate::store::{Change, Row};

/// The least that tantivy takes; it is a limit, and what is used grows with what is written.
const WRITER_BYTES: usize = 15_000_000;

/// What is asked of the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search<'a> {
    /// Text to look for; `None` lists everything.
    pub query: Option<&'a str>,
    /// Only this category.
    pub category: Option<&'a str>,
    /// Only what stands after this place.
    pub after: Option<Place>,
    /// At most so many.
    pub limit: usize,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// The best first.
    pub items: Vec<Product>,
    /// The place of the last one, if there are more.
    pub next: Option<Place>,
}

/// Why the index failed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("search index failed")]
    Tantivy(#[from] tantivy::TantivyError),
    #[error("search index holds a product that cannot be read")]
    Document(#[from] serde_json::Error),
}

/// The index, in memory.
pub(crate) struct Index {
    reader: IndexReader,
    tantivy: Tantivy,
    /// Made by the first change and then kept: each new one would leave its threads' buffers
    /// behind in the allocator.
    writer: Mutex<Option<IndexWriter>>,
    fields: Fields,
    id: Field,
    category: Field,
    position: Field,
    product: Field,
}

const POSITION: &str = "position";
const TERMS: &str = "terms";

impl Index {
    /// An empty one.
    ///
    /// # Errors
    /// Tantivy failed.
    pub(crate) fn new() -> Result<Self, IndexError> {
        let mut schema = Schema::builder();
        let fields = Fields {
            name: terms_field(&mut schema, "name"),
            prefix: terms_field(&mut schema, "prefix"),
            text: terms_field(&mut schema, "text"),
            whole: schema.add_text_field("whole", whole_value()),
        };
        let id = schema.add_text_field("id", whole_value());
        let category = schema.add_text_field("category", whole_value());
        let position = schema.add_u64_field(POSITION, FAST);
        let product = schema.add_bytes_field("product", STORED);

        let tantivy = Tantivy::create_in_ram(schema.build());
        // Terms are made by `text`; tantivy only parts them.
        let analyzer = TextAnalyzer::from(WhitespaceTokenizer::default());
        tantivy.tokenizers().register(TERMS, analyzer);
        let reader = tantivy
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(4)
            .try_into()?;
        Ok(Self {
            reader,
            tantivy,
            writer: Mutex::new(None),
            fields,
            id,
            category,
            position,
            product,
        })
    }

    /// Takes in changes; searches see all of them or none. Blocks.
    ///
    /// # Errors
    /// Tantivy failed; nothing was taken in.
    pub(crate) fn apply(
        &self,
        changes: &[Change],
        categories: &[Category],
    ) -> Result<(), IndexError> {
        // What a panic left behind is overwritten: its changes are taken in again.
        let mut kept = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = match kept.as_mut() {
            Some(writer) => writer,
            None => kept.insert(self.new_writer()?),
        };
        let written = self.write(writer, changes, categories);
        if written.is_err() {
            writer.rollback()?;
        }
        written
    }

    /// Gives back what only writing needs, 2 MiB and three threads, until the next change: for the
    /// time after the first build, which may last for ever. Blocks.
    ///
    /// # Errors
    /// Tantivy failed.
    pub(crate) fn rest(&self) -> Result<(), IndexError> {
        let kept = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = kept {
            writer.wait_merging_threads()?;
            self.reader.reload()?;
        }
        Ok(())
    }

    fn new_writer(&self) -> Result<IndexWriter, IndexError> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_BYTES)
            .build();
        Ok(self.tantivy.writer_with_options(options)?)
    }

    fn write(
        &self,
        writer: &mut IndexWriter,
        changes: &[Change],
        categories: &[Category],
    ) -> Result<(), IndexError> {
        let names: BTreeMap<_, _> = categories.iter().map(|c| (c.id.as_str(), c)).collect();
        for change in changes {
            let id = change.id.to_string();
            writer.delete_term(Term::from_field_text(self.id, &id));
            if let Some(row) = &change.row {
                let category = names.get(row.product.category.as_str()).copied();
                writer.add_document(self.document(row, category)?)?;
            }
        }
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    fn document(
        &self,
        row: &Row,
        category: Option<&Category>,
    ) -> Result<TantivyDocument, IndexError> {
        let product = &row.product;
        let names = [&product.name.ko, &product.name.en];
        let mut texts = vec![&product.description.ko, &product.description.en];
        texts.extend(names);
        if let Some(category) = category {
            texts.extend([&category.name.ko, &category.name.en]);
        }
        let all = |texts: &[&String], terms: fn(&str) -> BTreeSet<String>| {
            let terms: Vec<String> = texts.iter().flat_map(|text| terms(text)).collect();
            terms.join(" ")
        };

        let mut document = TantivyDocument::new();
        document.add_text(self.id, product.id.to_string());
        document.add_text(self.category, &product.category);
        document.add_u64(self.position, row.position);
        document.add_text(self.fields.name, all(&names, text::terms));
        document.add_text(self.fields.prefix, all(&names, text::prefixes));
        document.add_text(self.fields.text, all(&texts, text::terms));
        for name in names {
            document.add_text(self.fields.whole, text::whole(name));
        }
        document.add_bytes(self.product, &serde_json::to_vec(product)?);
        Ok(document)
    }

    /// Finds or lists products.
    ///
    /// # Errors
    /// Tantivy failed.
    pub(crate) fn search(&self, search: &Search<'_>) -> Result<Found, IndexError> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        if let Some(query) = search.query {
            clauses.push((Occur::Must, query::parse(&self.fields, query)));
        }
        if let Some(category) = search.category {
            let only = query::term(self.category, category);
            clauses.push((Occur::Must, Box::new(ConstScoreQuery::new(only, 0.0))));
        }
        let query: Box<dyn Query> = if clauses.is_empty() {
            Box::new(AllQuery)
        } else {
            Box::new(BooleanQuery::new(clauses))
        };
        let best = Best {
            // One more than asked for tells whether there is a next page.
            limit: search.limit + 1,
            after: search.after,
            scored: search.query.is_some(),
            position: POSITION,
        };

        let searcher = self.reader.searcher();
        let mut hits = searcher.search(&query, &best)?;
        let more = hits.len() > search.limit;
        hits.truncate(search.limit);
        let mut items = Vec::with_capacity(hits.len());
        for (_, address) in &hits {
            let document: TantivyDocument = searcher.doc(*address)?;
            let bytes = document.get_first(self.product).and_then(|v| v.as_bytes());
            items.push(serde_json::from_slice(bytes.unwrap_or_default())?);
        }
        let next = hits.last().map(|(place, _)| *place).filter(|_| more);
        Ok(Found { items, next })
    }

    /// How many products a category has.
    ///
    /// # Errors
    /// Tantivy failed.
    pub(crate) fn count(&self, category: &str) -> Result<usize, IndexError> {
        let query = query::term(self.category, category);
        Ok(self.reader.searcher().search(&query, &Count)?)
    }

    /// How many products there are.
    pub(crate) fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }
}

fn terms_field(schema: &mut SchemaBuilder, name: &str) -> Field {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TERMS)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    schema.add_text_field(name, TextOptions::default().set_indexing_options(indexing))
}

fn whole_value() -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("raw")
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::Basic);
    TextOptions::default().set_indexing_options(indexing)
}

#[cfg(test)]
mod tests;
