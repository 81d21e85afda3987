//! A table of columns as a Parquet file.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

/// Values of a column; `None` is null.
pub enum Column {
    /// UTF-8.
    Text(Vec<String>),
    /// 64-bit integers.
    Integer(Vec<Option<i64>>),
    /// 64-bit floats.
    Real(Vec<Option<f64>>),
}

/// Writes `columns`, all of one length, as one row group.
pub fn write_table<W: Write + Send>(columns: &[(String, Column)], output: W) -> Result<(), ParquetError> {
    let fields = columns.iter().map(|(name, column)| field(name, column)).collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("table").with_fields(fields).build()?);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut file = SerializedFileWriter::new(output, schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for (_, column) in columns {
        write_column(&mut group, column)?;
    }
    group.close()?;
    file.close()?;
    Ok(())
}

fn field(name: &str, column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, repetition) = match column {
        Column::Text(_) => (PhysicalType::BYTE_ARRAY, Repetition::REQUIRED),
        Column::Integer(_) => (PhysicalType::INT64, Repetition::OPTIONAL),
        Column::Real(_) => (PhysicalType::DOUBLE, Repetition::OPTIONAL),
    };
    let mut builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    if matches!(column, Column::Text(_)) {
        builder = builder.with_converted_type(ConvertedType::UTF8);
    }
    Ok(Arc::new(builder.build()?))
}

fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &Column,
) -> Result<(), ParquetError> {
    let Some(mut writer) = group.next_column()? else {
        return Err(ParquetError::General("more columns than fields".to_owned()));
    };
    match column {
        Column::Text(texts) => {
            let bytes: Vec<ByteArray> = texts.iter().map(|text| ByteArray::from(text.as_str())).collect();
            writer.typed::<ByteArrayType>().write_batch(&bytes, None, None)?;
        }
        Column::Integer(values) => {
            let (present, levels) = split(values);
            writer.typed::<Int64Type>().write_batch(&present, Some(&levels), None)?;
        }
        Column::Real(values) => {
            let (present, levels) = split(values);
            writer.typed::<DoubleType>().write_batch(&present, Some(&levels), None)?;
        }
    }
    writer.close()
}

/// The values that are there, and for each row whether it has one.
fn split<T: Copy>(values: &[Option<T>]) -> (Vec<T>, Vec<i16>) {
    let levels = values.iter().map(|value| i16::from(value.is_some())).collect();
    (values.iter().flatten().copied().collect(), levels)
}
