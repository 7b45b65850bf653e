#include "actors/broker/node_identity.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>

#include "core/bytes.hpp"
#include "io/file.hpp"
#include "io/sockets.hpp"
#include "io/unique_fd.hpp"

namespace strata::actors::broker {
namespace {

namespace fs = std::filesystem;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using key_pointer = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using certificate_pointer = std::unique_ptr<X509, freed_by<X509_free>>;
using store_pointer = std::unique_ptr<X509_STORE, freed_by<X509_STORE_free>>;
using verification_pointer = std::unique_ptr<X509_STORE_CTX, freed_by<X509_STORE_CTX_free>>;
using extension_pointer = std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>>;
using memory_pointer = std::unique_ptr<BIO, freed_by<BIO_free>>;

constexpr std::size_t file_size_max = 64u << 10;
/// Clocks of machines differ a little.
constexpr long slack_seconds = 3600;

constexpr const char* authority_name = "ca.crt";
constexpr const char* certificate_name = "node.crt";
constexpr const char* key_name = "node.key";

std::time_t seconds_of(core::wall_time at) {
  return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
}

// -- creating -------------------------------------------------------------------------------------------------------

core::error library_failed(const std::string& doing) {
  char text[256] = "no reason given";
  if (const unsigned long code = ::ERR_get_error(); code != 0) ::ERR_error_string_n(code, text, sizeof text);
  ::ERR_clear_error();
  return {core::errc::io_error, doing + ": " + text};
}

bool add_extension(X509* to, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  ::X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const extension_pointer made(::X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  return made && ::X509_add_ext(to, made.get(), -1) == 1;
}

struct issued {
  key_pointer key;
  certificate_pointer certificate;
};

/// Signed by `issuer`, or by itself when there is none.
core::result<issued> issue(const char* common_name, const issued* issuer, core::wall_time now) {
  const core::error failed = {core::errc::io_error, std::string("create the certificate of ") + common_name};
  issued made{key_pointer(::EVP_EC_gen("P-256")), certificate_pointer(::X509_new())};
  std::uint64_t serial = 0;
  if (!made.key || !made.certificate || ::RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1)
    return library_failed(failed.detail);
  X509* certificate = made.certificate.get();
  X509* signer = issuer ? issuer->certificate.get() : certificate;
  std::time_t begin = seconds_of(now) - slack_seconds;
  X509_NAME* name = ::X509_get_subject_name(certificate);
  bool good = ::X509_set_version(certificate, 2) == 1 &&
              ::ASN1_INTEGER_set_uint64(::X509_get_serialNumber(certificate), serial >> 1) == 1 &&
              ::X509_time_adj_ex(::X509_getm_notBefore(certificate), 0, 0, &begin) != nullptr &&
              ::X509_time_adj_ex(::X509_getm_notAfter(certificate), identity_valid_days, 0, &begin) != nullptr &&
              ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                           reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0) == 1 &&
              ::X509_set_issuer_name(certificate, ::X509_get_subject_name(signer)) == 1 &&
              ::X509_set_pubkey(certificate, made.key.get()) == 1;
  if (issuer == nullptr)
    good = good && add_extension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(certificate, signer, NID_key_usage, "critical,keyCertSign");
  else
    good = good && add_extension(certificate, signer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, signer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, signer, NID_ext_key_usage, "serverAuth,clientAuth");
  EVP_PKEY* signing = issuer ? issuer->key.get() : made.key.get();
  if (!good || ::X509_sign(certificate, signing, ::EVP_sha256()) == 0) return library_failed(failed.detail);
  return made;
}

std::string text_in(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

core::result<void> write_private(const std::string& directory, const char* name, const std::string& text) {
  const std::string path = directory + "/" + name;
  STRATA_ASSIGN(auto file, io::new_file::create(path + io::temporary_suffix));
  if (::chmod((path + io::temporary_suffix).c_str(), 0600) != 0)
    return core::from_errno("close " + path + " to other users", errno);
  STRATA_TRY(
      file.append(core::bytes_view(reinterpret_cast<const core::bytes_view::value_type*>(text.data()), text.size())));
  return file.commit(path);
}

core::result<void> write_certificate(const std::string& directory, const char* name, X509* of) {
  const memory_pointer memory(::BIO_new(::BIO_s_mem()));
  if (!memory || ::PEM_write_bio_X509(memory.get(), of) != 1) return library_failed(std::string("write ") + name);
  return write_private(directory, name, text_in(memory.get()));
}

core::result<void> write_key(const std::string& directory, const char* name, EVP_PKEY* of) {
  const memory_pointer memory(::BIO_new(::BIO_s_mem()));
  if (!memory || ::PEM_write_bio_PrivateKey(memory.get(), of, nullptr, nullptr, 0, nullptr, nullptr) != 1)
    return library_failed(std::string("write ") + name);
  return write_private(directory, name, text_in(memory.get()));
}

// -- loading --------------------------------------------------------------------------------------------------------

core::error unusable(const std::string& path, const std::string& why) {
  return {core::errc::invalid_argument, path + ": " + why};
}

core::result<std::string> read_private(const std::string& path) {
  const io::unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return core::from_errno("open " + path, errno);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return core::from_errno("check " + path, errno);
  if (!S_ISREG(about.st_mode)) return unusable(path, "it is not a file");
  if ((about.st_mode & 0077) != 0)
    return unusable(path,
                    "users other than its owner have access to it; chmod 600 it, or remove the directory if they "
                    "may have read the key");
  if (about.st_uid != ::geteuid()) return unusable(path, "it belongs to another user");
  if (static_cast<std::size_t>(about.st_size) > file_size_max) return unusable(path, "it is too large");
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
  if (got != about.st_size) return core::from_errno("read " + path, got < 0 ? errno : EIO);
  return text;
}

memory_pointer reading(const std::string& text) {
  return memory_pointer(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// A key must never ask for a passphrase on a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

core::result<certificate_pointer> parse_certificate(const std::string& path, const std::string& text,
                                                    core::wall_time now) {
  certificate_pointer found(::PEM_read_bio_X509(reading(text).get(), nullptr, no_passphrase, nullptr));
  ::ERR_clear_error();
  if (!found) return unusable(path, "it holds no certificate");
  std::time_t at = seconds_of(now);
  if (::X509_cmp_time(::X509_get0_notBefore(found.get()), &at) >= 0)
    return unusable(path, "the certificate is not valid yet: is the clock of this machine right?");
  if (::X509_cmp_time(::X509_get0_notAfter(found.get()), &at) <= 0)
    return unusable(path,
                    "the certificate has expired; strata down, remove the directory, and strata up creates a new one");
  return found;
}

core::result<std::shared_ptr<SSL_CTX>> context_of(X509* authority, X509* certificate, EVP_PKEY* key) {
  std::shared_ptr<SSL_CTX> made(::SSL_CTX_new(::TLS_method()), ::SSL_CTX_free);
  if (!made || SSL_CTX_set_min_proto_version(made.get(), TLS1_3_VERSION) != 1 ||
      ::SSL_CTX_use_certificate(made.get(), certificate) != 1 || ::SSL_CTX_use_PrivateKey(made.get(), key) != 1 ||
      ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(made.get()), authority) != 1)
    return library_failed("set up TLS");
  ::SSL_CTX_set_verify(made.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  // Every connection sends its certificate again.
  ::SSL_CTX_set_options(made.get(), SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(made.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(made.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return made;
}

}  // namespace

core::result<node_identity> node_identity::load(const std::string& directory, core::wall_time now) {
  const std::string authority_path = directory + "/" + authority_name;
  const std::string certificate_path = directory + "/" + certificate_name;
  const std::string key_path = directory + "/" + key_name;
  STRATA_ASSIGN(const std::string authority_text, read_private(authority_path));
  STRATA_ASSIGN(const std::string certificate_text, read_private(certificate_path));
  STRATA_ASSIGN(const std::string key_text, read_private(key_path));

  STRATA_ASSIGN(const auto authority, parse_certificate(authority_path, authority_text, now));
  STRATA_ASSIGN(const auto certificate, parse_certificate(certificate_path, certificate_text, now));
  const key_pointer key(::PEM_read_bio_PrivateKey(reading(key_text).get(), nullptr, no_passphrase, nullptr));
  ::ERR_clear_error();
  if (!key) return unusable(key_path, "it holds no key");
  if (::X509_check_private_key(certificate.get(), key.get()) != 1) {
    ::ERR_clear_error();
    return unusable(key_path, "the key does not belong to " + certificate_path);
  }
  const store_pointer store(::X509_STORE_new());
  const verification_pointer verification(::X509_STORE_CTX_new());
  if (!store || !verification || ::X509_STORE_add_cert(store.get(), authority.get()) != 1 ||
      ::X509_STORE_CTX_init(verification.get(), store.get(), certificate.get(), nullptr) != 1)
    return library_failed("check " + certificate_path);
  ::X509_VERIFY_PARAM_set_time(::X509_STORE_CTX_get0_param(verification.get()), seconds_of(now));
  if (::X509_verify_cert(verification.get()) != 1) {
    const int why = ::X509_STORE_CTX_get_error(verification.get());
    ::ERR_clear_error();
    return unusable(certificate_path, "it is not signed by the authority " + authority_path + ": " +
                                          ::X509_verify_cert_error_string(why));
  }

  node_identity identity;
  STRATA_ASSIGN(identity.tls_, context_of(authority.get(), certificate.get(), key.get()));
  return identity;
}

core::result<void> make_identity(const std::string& directory, core::wall_time now) {
  std::error_code failed;
  if (fs::exists(directory, failed)) return core::error{core::errc::conflict, directory + " is there already"};
  const std::string building = directory + io::temporary_suffix;
  fs::remove_all(building, failed);  // of an interrupted attempt
  if (::mkdir(building.c_str(), 0700) != 0) return core::from_errno("make " + building, errno);
  STRATA_ASSIGN(const issued authority, issue("strata cluster authority", nullptr, now));
  STRATA_ASSIGN(const issued node, issue("strata node", &authority, now));
  STRATA_TRY(write_certificate(building, authority_name, authority.certificate.get()));
  STRATA_TRY(write_certificate(building, certificate_name, node.certificate.get()));
  STRATA_TRY(write_key(building, key_name, node.key.get()));
  fs::rename(building, directory, failed);
  if (failed) return core::from_errno("rename " + building, failed.value());
  io::real_disk().sync_directory(io::parent_of(directory));
  return {};
}

}  // namespace strata::actors::broker
