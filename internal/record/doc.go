// Package record turns the bytes that Mimecast serves into the records that
// Fluent Bit takes: it opens batches, splits log files into records and
// encodes each as msgpack, in one pass, append style and without allocating
// per record.
//
// A record is
//
//	[[timestamp, {}], {"log_source": …, "log_type": …, …}]
//
// as Fluent Bit reads it from version 2.1 on: the timestamp is ext type 0 with
// seconds and nanoseconds, and the body holds the fields as Mimecast names and
// types them; [Origin] may add the account and have texts get their types. Bytes
// of a text that are not UTF-8 stay as they are. A field that comes twice in one
// object is taken once: the first wins, so that nothing later in a record can
// change it, log_source and log_type included. In JSON the later ones are
// dropped; a key_value record that drops one has its line beside it.
//
// What can't be read is never dropped: it is reported as a [Damage] with its
// bytes, which [AppendUnparsed] turns into records of their own.
package record
