// Package simulator is a Mimecast that fits in a test: an [http.Handler] that
// speaks API 1.0 and 2.0 as the service does, refuses what the service refuses,
// breaks on demand the way the service has been seen to break, and knows exactly
// which records a collector has to deliver.
//
// Nothing here shares code with the client it tests: signing, formats and
// escapes are written a second time, from the documentation.
//
// # Data
//
// A SIEM batch is a number of records and a time; an event of a log in pages is a
// few numbers and two times; a file of events of API 2.0 is a type, a number of
// records and a time. Their contents follow from [Config.Seed] and are made when they
// are asked for, so millions of records cost little memory. Every record is unique as
// a whole, because [Server.Expected] accounts for records by their complete contents;
// only the twins of [LogEvents] are equal, and are accounted for by their number.
//
// The logs in pages are rows of one table, pagedLogTable: a log more is a row, and a
// function that writes its events.
//
// # Faults
//
// A transient fault ([Server.Next], [Server.SetFaults]) spoils one answer; the
// next request with the same token or page is served right. A persistent fault
// ([Server.AddFaultyBatch], [Server.AddFaultyFiles]) belongs to a batch or file,
// which is served like that every time, as long as it is kept. No fault ever moves
// a position: positions are in the tokens, and the server holds none.
//
// # API 2.0
//
// [PathToken], [PathEvents], [PathEventsCI] and [PathLinks] are those of API 2.0;
// the logs in pages ([Logs]) are served to a bearer token too. Where the
// service is not documented, the stricter of what collectors report is served: one
// type a call, no parameter that does not exist, days only within the last 7 times
// 24 hours.
package simulator
