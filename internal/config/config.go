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
	// AccountCode is that of a customer, whose paged logs are collected; empty: those
	// of the account itself are.
	AccountCode string
	DB          string // path of the checkpoint file; empty when it is off

	Logs            []string        // streams, each once
	SIEMFormat      mimecast.Format // of API 1.0
	SIEMCompress    bool            // of API 1.0
	SIEMTypes       []string        // of SIEM in API 2.0, each once, as Mimecast spells them; nil with 1.0
	PageSize        int
	Filter          mimecast.ImpersonationFilter
	InitialLookback time.Duration
	Overlap         time.Duration
	PollInterval    time.Duration
	TagByType       bool
	Typed           bool // of API 2.0

	HTTPTimeout time.Duration
	ProxyURL    *url.URL // nil: the environment decides; may hold a password, so never log it
	CAPEM       []byte   // nil: the system's authorities
	TLSVerify   bool
	LinkAllow   []netip.Prefix // see [mimecast.Options]

	// Warnings are things to say once at the start that don't stop it.
	Warnings []string
}

// Error is everything that is wrong with an [INPUT] block, on one line. It
// never holds the value of a secret.
type Error struct {
	Problems []string
}

func (e *Error) Error() string {
	return "configuration: " + strings.Join(e.Problems, "; ")
}
