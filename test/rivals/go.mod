module fluent-bit-mimecast/test/rivals

go 1.26.0

replace fluent-bit-mimecast => ../..

require (
	fluent-bit-mimecast v0.0.0-00010101000000-000000000000
	github.com/go-json-experiment/json v1.27.2
	github.com/json-iterator/go v1.1.12
	github.com/tinylib/msgp v1.6.5
	github.com/valyala/fastjson v1.6.10
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/modern-go/concurrent v0.0.0-20180228061459-e0a39a4cb421 // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	github.com/philhofer/fwd v1.2.0 // indirect
)
