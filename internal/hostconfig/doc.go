// Package hostconfig reads a configuration of Fluent Bit as Fluent Bit 5.1 does, in
// YAML and in the classic format, with the files that it includes and the variables
// that it names. It runs nothing, and knows no plugin.
package hostconfig
