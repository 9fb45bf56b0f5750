// Package config is the plugin's option table: which keys an [INPUT] block may
// hold, how their values are read, and what is said when one is wrong. It
// reads credential files, and opens nothing else.
package config

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"fluent-bit-mimecast/mimecast"
)

// Names of SIEM logs in the option `logs`. Other logs go by the names that
// [mimecast.Logs] gives them.
const (
	SIEM   = "siem"
	SIEMCI = "siem_ci" // of Cloud Integrated, in API 2.0 alone
)

// All is the value of `logs` that stands for all that the API has.
const All = "all"

// DBOff is the value of `db` that keeps no position.
const DBOff = "off"

// Config is one [INPUT] block, read and checked.
type Config struct {
	API     int           // 1: API 1.0, 2: API 2.0, as the credentials decide
	BaseURL *url.URL      // scheme and host alone
	Auth    mimecast.Auth // reads the `…_file` options anew after a refusal
	AppID   string        // or the client id, as read when the block was started
	Account string        // what positions go by: the block's name for it, or AppID
	// AccountKey is the field that records get with Account; empty: none.
	AccountKey string
	// OriginalKey and IDKey are the fields that records get with their source text
	// and an id; empty: none.
	OriginalKey, IDKey string
	// AccountCode is that of a customer, whose paged logs are collected; empty: those
	// of the account itself are.
	AccountCode string
	DB          string // path of the checkpoint file; empty when it is off

	Logs            []string        // each once
	Optional        []string        // those of Logs that the account may lack: all has brought them in
	SIEMFormat      mimecast.Format // of API 1.0
	SIEMCompress    bool            // of API 1.0
	SIEMTypes       []string        // of SIEM in API 2.0, each once, as Mimecast spells them; nil with 1.0
	PageSize        int
	Filters         []mimecast.Filter // that do narrow down, at most one for a log
	ThreatFeeds     []string          // feed types of [mimecast.ThreatIntel]
	InitialLookback time.Duration
	Overlap         time.Duration
	PollInterval    time.Duration
	TagByType       bool
	Notices         bool // records of the plugin's own
	Typed           bool // of API 2.0

	HTTPTimeout time.Duration
	ProxyURL    *url.URL // nil: the environment decides; may hold a password, so never log it
	CAPEM       []byte   // nil: the system's authorities
	TLSVerify   bool
	LinkAllow   []netip.Prefix // see [mimecast.Options]

	// Warnings are things to say once at the start that don't stop it.
	Warnings []string
}

// Filter returns the filter of a log, nil when there is none.
func (c Config) Filter(log string) mimecast.Filter {
	for _, f := range c.Filters {
		if f.Log().Name == log {
			return f
		}
	}
	return nil
}

// FeedTypes returns the feed types to collect of a log that is divided into some.
func (c Config) FeedTypes(log string) []string {
	if log == mimecast.ThreatIntel().Name {
		return c.ThreatFeeds
	}
	for _, l := range mimecast.Logs() {
		if l.Name == log {
			return l.FeedTypes
		}
	}
	return nil
}

// Error is everything that is wrong with an [INPUT] block, on one line. It
// never holds the value of a secret.
type Error struct {
	Problems []string
}

func (e *Error) Error() string {
	return "configuration: " + strings.Join(e.Problems, "; ")
}
