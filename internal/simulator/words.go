package simulator

// The vocabulary of synthetic records. Tables only; nothing writes to them.
//
// What may stand here is bounded by key_value, which escapes nothing: no value
// has a line end; no subject has `\|` before an identifier and '='; no other
// value has '|' before one.

var subjects = []string{
	"Quarterly figures", "Lunch on Friday?", "RE: Contract renewal", "Fwd: Travel request",
	"Your parcel is waiting", "Minutes of the board meeting", "Undeliverable: Newsletter",
	"Grüße aus Köln – Überweisung fällig", "Réunion décalée à 15 h", "Año nuevo, ¡ofertas!",
	"Zażółć gęślą jaźń", "Счёт на оплату", "請求書のご確認", "会议纪要：第三季度", "주문 확인",
	"🎉 Launch party 🚀", "👩‍👩‍👧 family day", "e\u0301 is not é", "مرحبا بك في الفريق", "שלום, חשבונית מצורפת",
	"mixed: عربي and English", "\u202eright to left override", "zero\u200bwidth",
	`She said "hello"`, `"quoted all over"`, `C:\temp\report`, `\\fileserver\share\plans`, `Backup of D:\`,
	`not an end \| here`, `{"json": "like", "n": [1, 2]}`, `[EXTERNAL] a/b/c </script>`, "tab\there",
	`x|Act=Acc`, `a=b|c`, `see |Rcpt=nobody@example.com`, `50% off & more = better`, `'; DROP TABLE mail; --`,
	`null`, `true`, `0`, `-`, `\u0041 is no escape`, `${HOME} %s %d {{.}}`,
}

var (
	people  = []string{"anna.berg", "b.okafor", "chen.wei", "d'arcy", "eva+lists", "f.muller", "g_rossi", "hana", "i.novak", "no-reply"}
	inside  = []string{"corp.example", "hq.corp.example"}
	outside = []string{"partner.example", "shop.example.net", "news.example.org", "xn--mnchen-3ya.example", "bulk.example.com"}
	names   = []string{"Anna Berg", "Bola Okafor", "Chen Wei", "Zoë d'Arcy", "Éva Müller"}

	directions = []string{"Inbound", "Inbound", "Outbound", "Internal"}
	tlsVersion = []string{"TLSv1.2", "TLSv1.3"}
	ciphers    = []string{"TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"}
	checks     = []string{"ALLOW", "SPF_FAIL", "DKIM_UNKNOWN", "DMARC_NONE"}
	rejections = [][3]string{
		{"Invalid Recipient Address", "550", "Invalid Recipient"},
		{"Virus Signature Detection", "554", "Email rejected due to security policies"},
		{"Recipient server unavailable or busy", "421", "Connection refused (Connection refused)"},
	}
	holds       = []string{"Spm", "Attachment Policy", "User Hold"}
	attachments = []string{"report.pdf", "Q3 | final.xlsx", "naïve résumé.docx", "写真.jpg", "a=b.csv", "archive.tar.gz"}
	routes      = []string{"Exchange route", "Accept and drop messages", "Smart host"}
	acks        = []string{"250 2.6.0 Queued mail for delivery | done", "250 2.0.0 OK", "250 2.6.0 [InternalId=25473608, Hostname=mx1.corp.example] Queued"}
	viruses     = []string{"Heuristics:Phishing", "EICAR-Test-File", "Macro.Downloader"}
	mimes       = [][2]string{
		{"pdf", "application/pdf"},
		{"docm", "application/vnd.ms-word.document.macroEnabled.12"},
		{"zip", "application/zip"},
	}
	urlVerdicts   = []string{"malicious", "clean", "suspicious"}
	urlCategories = []string{"Phishing & Fraud", "Compromised", "Blocked", "Business"}
	scanResults   = []string{"Blocked URL Category", "URL Reputation Scan"}
	flags         = []string{"true", "false"}

	logRoutes          = []string{"inbound", "inbound", "outbound", "internal"}
	definitions        = []string{"IP - 1 hit (Tag email)", "IP - 2 hits (Hold for Review / User Hold)", "Standard-Regel für Vorstände"}
	similarIdentifiers = []string{"similar_internal_domain", "newly_observed_domain", "internal_user_name", "reply_address_mismatch", "targeted_threat_dictionary"}
	eventActions       = []string{"none", "none", "hold", "bounce", "delete", "meta_expire"}
	ciThreats          = []string{"NO_DETECTIONS", "NO_DETECTIONS", "MALWARE", "SPAM", "UNTRUSTWORTHY"}
	ciActions          = []string{"DO_NOTHING", "BLOCK"}
	ciStates           = []string{"DELIVERY_IN_PROGRESS", "DELIVERED", "BLOCKED"}
	threatWords        = []string{"wire", "urgent", "gift card", "überweisen"}
)
