package hint

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"fluent-bit-mimecast/mimecast"
)

func TestHintsForRefusals(t *testing.T) {
	siem, paged := mimecast.SIEM(), mimecast.Impersonation().Endpoint
	for _, test := range []struct {
		refusal mimecast.APIError
		want    string // empty: no hint
	}{
		{mimecast.APIError{Status: 200, Code: "err_developer_key"}, "check app_id and app_key"},
		{mimecast.APIError{Status: 401}, "check app_key, access_key and secret_key"},
		{mimecast.APIError{Status: 418}, "Authentication Profile TTL"},
		{mimecast.APIError{Status: 403, Endpoint: siem}, "the user lacks a permission: its administrator role needs Gateway | Tracking | Read, and Enhanced Logging must be on for the account"},
		{mimecast.APIError{Status: 403, Endpoint: paged}, "the user lacks a permission: its administrator role needs Monitoring | Impersonation Protection | Read"},
		{mimecast.APIError{Status: 401, Code: "InvalidClientIdentifier"}, "check client_id and client_secret, and that the API application is enabled"},
		{mimecast.APIError{Status: 401, Code: "InvalidClientIdentifier", Transient: true}, ""},
		{mimecast.APIError{Status: 403, Code: "app_forbidden", Endpoint: mimecast.SIEMEvents()}, "the API application needs the product Threats, Security Events and Data for CG, and its role Security Events and Data Retrieval | Threat and Security Events (SIEM) | Read; Enhanced Logging must be on for the account"},
		{mimecast.APIError{Status: 403, Code: "app_forbidden", Endpoint: mimecast.SIEMEventsCI()}, "the API application needs the product Threats, Security Events and Data for CI"},
		{mimecast.APIError{Status: 403, Code: "app_forbidden", Endpoint: paged}, "the API application needs the product Security Events, and its role Monitoring | Impersonation Protection | Read"},
		{mimecast.APIError{Status: 403, Code: "app_forbidden"}, "the API application lacks a permission"},
		{mimecast.APIError{Status: 400, Code: "err_audit_log_incorrect_region"}, "check region or base_url"},
		{mimecast.APIError{Status: 404}, "check base_url or region"},
		{mimecast.APIError{Status: 302}, "check base_url or region"},
		{mimecast.APIError{Status: 407}, "proxy_url"},
		{mimecast.APIError{Status: 400}, ""},
		{mimecast.APIError{Status: 429, Code: "err_xdk_invalid_signature"}, ""},
		{mimecast.APIError{Status: 503, Code: "err_developer_key"}, ""},
	} {
		if got := WhatToDo(&test.refusal); !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%+v: got %q, want %q", test.refusal, got, test.want)
		}
	}
}

func TestHintsForLinks(t *testing.T) {
	for _, test := range []struct {
		err  mimecast.LinkError
		want string // empty: no hint
	}{
		{mimecast.LinkError{Err: &mimecast.AddressError{Addr: netip.MustParseAddr("10.0.0.1")}}, "name its addresses in link_allow_cidrs"},
		{mimecast.LinkError{Err: &mimecast.ProxyError{Status: 403}}, "the proxy refuses to connect to the file store"},
		{mimecast.LinkError{Err: &net.DNSError{}}, "the file store's name does not resolve"},
		{mimecast.LinkError{Status: 403}, ""},
	} {
		if got := WhatToDo(&test.err); !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%v: got %q, want %q", &test.err, got, test.want)
		}
	}
}
