// Package hint says what a user can do about an error of a request.
package hint

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"

	"fluent-bit-mimecast/mimecast"
)

// WhatToDo says what a user can do about an error of a request, in terms of the
// plugin's options; empty when waiting is all.
func WhatToDo(err error) string {
	var (
		refusal     *mimecast.APIError
		proxy       *mimecast.ProxyError
		certificate *tls.CertificateVerificationError
		dns         *net.DNSError
		network     net.Error
		link        *mimecast.LinkError
		address     *mimecast.AddressError
	)
	where, option := "the service", "base_url or region"
	if errors.As(err, &link) {
		where, option = "the file store", "proxy_url"
	}
	who := where
	if IsProxy(err) {
		who, option = "the proxy", "proxy_url, or HTTPS_PROXY in the environment"
	}
	switch {
	case errors.As(err, &address):
		return "if there is a private connection to the file store, name its addresses in link_allow_cidrs"
	case errors.As(err, &proxy) && proxy.Status == http.StatusProxyAuthRequired,
		errors.As(err, &refusal) && refusal.Status == http.StatusProxyAuthRequired:
		return "name the proxy in proxy_url, with the user name and password that it takes"
	case proxy != nil:
		return "the proxy refuses to connect to " + where + ": allow it there, or check " + option
	case errors.As(err, &certificate):
		return aboutCertificate(certificate, who, option)
	case errors.As(err, &dns):
		return who + "'s name does not resolve: check " + option + ", and this machine's name servers"
	case IsProxy(err):
		return "the proxy can't be used: check " + option
	case errors.As(err, &network) && network.Timeout():
		return "nothing came within http_timeout: check the network, or raise http_timeout"
	}
	if errors.As(err, &refusal) {
		return aboutRefusal(refusal)
	}
	return ""
}

func aboutRefusal(refusal *mimecast.APIError) string {
	switch refusal.Cause() {
	case mimecast.CausePermission:
		return "the user lacks a permission: " + aboutPermission(refusal.Endpoint)
	case mimecast.CauseExpiredKey:
		return "the access key has expired: make a new one, and set Authentication Profile TTL to Never Expires for its user"
	case mimecast.CauseApplication:
		return "check app_id and app_key, and that the API application is enabled"
	case mimecast.CauseKeys:
		return "check app_key, access_key and secret_key, and this machine's clock; a change of the user's password ends its access key"
	case mimecast.CauseClient:
		return "check client_id and client_secret, and that the API application is enabled"
	case mimecast.CauseProduct:
		return aboutProduct(refusal.Endpoint)
	case mimecast.CauseRegion:
		return "the account is in another region: check region or base_url"
	case mimecast.CausePath, mimecast.CauseRedirect:
		return "check base_url or region"
	}
	return ""
}

func aboutPermission(e mimecast.Endpoint) string {
	needs := "its administrator role needs " + e.Permission
	if e.Setting != "" {
		needs += ", and " + e.Setting + " must be on for the account"
	}
	return needs
}

// aboutProduct is about an application of API 2.0.
func aboutProduct(e mimecast.Endpoint) string {
	if e.Product == "" {
		return "the API application lacks a permission"
	}
	text := "the API application needs the product " + e.Product
	if e.Permission != "" {
		text += ", and its role " + e.Permission
	}
	if e.Setting != "" {
		text += "; " + e.Setting + " must be on for the account"
	}
	return text
}

func aboutCertificate(err error, who, option string) string {
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &host):
		return who + "'s certificate is for another host name: check " + option
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return who + "'s certificate has expired: check this machine's clock; if it is right, the certificate has to be renewed"
	}
	return who + "'s certificate is of an authority that is not trusted: name the authority's PEM file in tls_ca_file"
}

// IsProxy reports whether the proxy, or the way to it, failed. The names are
// those that net/http gives to connecting by way of a proxy.
func IsProxy(err error) bool {
	var refusal *mimecast.ProxyError
	var op *net.OpError
	return errors.As(err, &refusal) || (errors.As(err, &op) && (op.Op == "proxyconnect" || op.Op == "socks connect"))
}
