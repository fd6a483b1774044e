package examples

import "embed"

// Payments are the rule files of the folder payments.
//
//go:embed payments/*.cep
var Payments embed.FS
