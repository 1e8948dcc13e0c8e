from django.contrib import admin

from markets.models import Quote


@admin.register(Quote)
class QuoteAdmin(admin.ModelAdmin):
    list_display = ["symbol", "day", "price"]
    list_filter = ["symbol"]
    date_hierarchy = "day"
