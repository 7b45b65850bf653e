#include "messages/envelope.hpp"

#include <caf/error.hpp>
#include <caf/sec.hpp>
#include <caf/type_erased_value.hpp>
#include <caf/type_nr.hpp>

namespace strata::messages::detail {
namespace {

constexpr std::uint32_t token_of_one = caf::add_to_type_token(0xFFFFFFFF, 0);

caf::error no_serialization() { return caf::make_error(caf::sec::unknown_type); }

/// Of a message that CAF takes apart before somebody changes it.
class value_of_parcel final : public caf::type_erased_value {
 public:
  explicit value_of_parcel(caf::detail::message_data* parcel) : parcel_(parcel, false) {}
  void* get_mutable() override { return parcel_->get_mutable(0); }
  const void* get() const override { return parcel_->get(0); }
  caf::rtti_pair type() const override { return parcel_->type(0); }
  caf::error load(caf::deserializer&) override { return no_serialization(); }
  caf::error save(caf::serializer&) const override { return no_serialization(); }
  std::string stringify() const override { return parcel_->stringify(0); }
  caf::type_erased_value_ptr copy() const override {
    return caf::type_erased_value_ptr(new value_of_parcel(parcel_->copy()));
  }

 private:
  caf::intrusive_ptr<caf::detail::message_data> parcel_;
};

}  // namespace

template <class Base>
std::uint32_t one_value<Base>::type_token() const noexcept {
  return token_of_one;
}
template <class Base>
caf::error one_value<Base>::load(std::size_t, caf::deserializer&) {
  return no_serialization();
}
template <class Base>
caf::error one_value<Base>::save(std::size_t, caf::serializer&) const {
  return no_serialization();
}
template <class Base>
std::string one_value<Base>::stringify(std::size_t) const {
  return type_->name();
}
template <class Base>
caf::type_erased_value_ptr one_value<Base>::copy(std::size_t) const {
  return caf::type_erased_value_ptr(new value_of_parcel(copied()));
}
template class one_value<caf::detail::message_data>;
template class one_value<caf::type_erased_tuple>;

caf::message letter_base::move_content_to_message() { return owned(moved()); }
caf::message letter_base::copy_content_to_message() const { return owned(copied()); }

caf::message owned(caf::detail::message_data* parcel) {
  return caf::message(caf::detail::message_data::cow_ptr(parcel, false));
}

}  // namespace strata::messages::detail
