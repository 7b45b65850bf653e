#pragma once

#include <memory>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>

namespace strata::messages {

// What carries one value between actors. CAF's own carriers compile comparing, printing and serializing anew for every
// type, which was most of the time of compiling an actor; of these, only owning and copying depends on the type. CAF
// sees no difference: either can be matched by handlers of the other.
namespace detail {

/// CAF's view of one value, of a type that CAF does not serialize.
template <class Base>
class one_value : public Base {
 public:
  void* get_mutable(std::size_t) override { return value_; }
  const void* get(std::size_t) const noexcept override { return value_; }
  std::size_t size() const noexcept override { return 1; }
  std::uint32_t type_token() const noexcept override;
  caf::rtti_pair type(std::size_t) const noexcept override { return {0, type_}; }
  caf::error load(std::size_t, caf::deserializer&) override;
  caf::error save(std::size_t, caf::serializer&) const override;
  std::string stringify(std::size_t) const override;
  caf::type_erased_value_ptr copy(std::size_t) const override;

 protected:
  one_value(const std::type_info& type, void* value) : type_(&type), value_(value) {}
  /// The value in a parcel of its own, that has no owner yet.
  virtual caf::detail::message_data* copied() const = 0;

 private:
  const std::type_info* type_;
  void* value_;
};
extern template class one_value<caf::detail::message_data>;
extern template class one_value<caf::type_erased_tuple>;

/// The value of an answer, or of a request that is passed on.
template <class T>
class parcel final : public one_value<caf::detail::message_data> {
 public:
  explicit parcel(T value) : one_value(typeid(T), &value_), value_(std::move(value)) {}
  using one_value::copy;
  caf::detail::message_data* copy() const override { return new parcel(value_); }

 private:
  caf::detail::message_data* copied() const override { return copy(); }
  T value_;
};

/// A value in a mailbox.
class letter_base : public caf::mailbox_element, public one_value<caf::type_erased_tuple> {
 public:
  caf::type_erased_tuple& content() override { return *this; }
  const caf::type_erased_tuple& content() const override { return *this; }
  caf::message move_content_to_message() override;
  caf::message copy_content_to_message() const override;

 protected:
  using one_value::one_value;
  virtual caf::detail::message_data* moved() = 0;
};

template <class T>
class letter final : public letter_base {
 public:
  explicit letter(T value) : letter_base(typeid(T), &value_), value_(std::move(value)) {}

 private:
  caf::detail::message_data* copied() const override { return new parcel<T>(value_); }
  caf::detail::message_data* moved() override { return new parcel<T>(std::move(value_)); }
  T value_;
};

caf::message owned(caf::detail::message_data* parcel);

}  // namespace detail

/// A message to be put into a mailbox; sender and id are the caller's to set.
template <class T>
caf::mailbox_element_ptr make_letter(T value) {
  if constexpr (caf::allowed_unsafe_message_type<T>::value)
    return caf::mailbox_element_ptr(new detail::letter<T>(std::move(value)));
  else  // it can leave the process, and CAF has to know how
    return caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(value));
}

/// The same as an answer, or to be passed on.
template <class T>
caf::message make_message(T value) {
  if constexpr (caf::allowed_unsafe_message_type<T>::value)
    return detail::owned(new detail::parcel<T>(std::move(value)));
  else
    return caf::make_message(std::move(value));
}

}  // namespace strata::messages
