from django.db import models


class Quote(models.Model):
    symbol = models.CharField(max_length=10)
    day = models.DateField()
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        ordering = ["symbol", "day"]
        constraints = [models.UniqueConstraint(fields=["symbol", "day"], name="one_per_day")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.day} {self.price}"
