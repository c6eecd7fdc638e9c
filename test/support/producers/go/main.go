// Writes a PKCS#12 file with each encoder of software.sslmate.com/src/go-pkcs12.
// usage: producer <folder with client.key, client.pem, intermediate.pem, root.pem>, which gets <encoder>.p12
package main

import (
	"crypto/x509"
	"encoding/pem"
	"log"
	"os"
	"path/filepath"

	"software.sslmate.com/src/go-pkcs12"
)

const password = "secret"

func main() {
	folder := os.Args[1]
	key, err := x509.ParsePKCS8PrivateKey(read(folder, "client.key"))
	check(err)
	certificate := func(name string) *x509.Certificate {
		parsed, err := x509.ParseCertificate(read(folder, name))
		check(err)
		return parsed
	}
	client := certificate("client.pem")
	issuers := []*x509.Certificate{certificate("intermediate.pem"), certificate("root.pem")}

	encoders := map[string]*pkcs12.Encoder{
		"Modern2023": pkcs12.Modern2023,
		"Modern2026": pkcs12.Modern2026,
		"LegacyRC2":  pkcs12.LegacyRC2,
		"LegacyDES":  pkcs12.LegacyDES,
	}
	for name, encoder := range encoders {
		file, err := encoder.Encode(key, client, issuers, password)
		check(err)
		write(folder, name, file)
		store, err := encoder.EncodeTrustStore(issuers, password)
		check(err)
		write(folder, name+" trust store", store)
	}
	file, err := pkcs12.Passwordless.Encode(key, client, issuers, "")
	check(err)
	write(folder, "Passwordless", file)
	store, err := pkcs12.Passwordless.EncodeTrustStore(issuers, "")
	check(err)
	write(folder, "Passwordless trust store", store)
	empty, err := pkcs12.Modern2023.Encode(key, client, issuers, "")
	check(err)
	write(folder, "Modern2023 empty password", empty)
	costly, err := pkcs12.Modern2023.WithIterations(100_000).Encode(key, client, nil, "pässwört 鍵")
	check(err)
	write(folder, "Modern2023 password beyond ASCII", costly)
	old, err := pkcs12.LegacyDES.Encode(key, client, nil, "pässwört 鍵")
	check(err)
	write(folder, "LegacyDES password beyond ASCII", old)
}

func read(folder, name string) []byte {
	text, err := os.ReadFile(filepath.Join(folder, name))
	check(err)
	block, _ := pem.Decode(text)
	return block.Bytes
}

func write(folder, name string, file []byte) {
	check(os.WriteFile(filepath.Join(folder, name+".p12"), file, 0o600))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
